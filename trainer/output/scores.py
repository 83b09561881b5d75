"""The value of --scores: which scores the images that a job makes are given."""

from utils.errors import UserError

ENDING = "_score"  # of most names; --scores and run.json leave it out


def asked_scores(value, known):
    """The scores that --scores asks for, in their order.

    Args:
        value: "all", "none", or some names with commas between; the ending "_score" may be left out.
        known: {name: Score} of the system.

    Raises:
        UserError: a name that is no score; lists the choices.
    """
    if value in ("all", "none") or not known:
        return tuple(known) if value == "all" else ()
    names = [name.strip().removesuffix(ENDING) for name in value.split(",")]
    short = [name.removesuffix(ENDING) for name in known]
    for name in names:
        if name not in short:
            choices = f"{', '.join(short)}; give some of them with commas between, all or none"
            raise UserError(f"--scores {value}: {name!r} is none of {choices}")
    return tuple(name for name in known if name.removesuffix(ENDING) in names)


def told_scores(names):
    """The value of --scores that asks for these names."""
    return ",".join(name.removesuffix(ENDING) for name in names) or "none"
