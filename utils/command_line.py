"""From argv to a job and its options; help texts; one-line errors for every mistake on the command line."""

import difflib
import math
import os
from types import SimpleNamespace

from absl import flags as absl_flags

from utils.errors import UserError
from utils.flags import FLAGS, GROUPS
from utils.options import Options
from utils.published_flags import PUBLISHED

MOST = 2**31 - 1  # of whole numbers where a flag names no bound: 32 bits, as TensorFlow counts images and sizes
HELP = ("--help", "-help", "-h", "--helpfull")
TRUE, FALSE = ("true", "t", "1", "yes", "y", "on"), ("false", "f", "0", "no", "n", "off")


def parse(argv, jobs, choices=None):
    """Read a command line.

    Args:
        argv: the words after the program's name.
        jobs: {name: one line of help}.
        choices: {flag: the values that it may have}, of flags whose values are listed elsewhere than in utils/flags.py.

    Returns:
        (job, utils.options.Options). Without a job the published code's flags decide, as there. job is "help" where
        help is asked for; the second is then of help_for, a job or None, and flags, the Options.

    Raises:
        UserError: unknown flag or job, stray word, value out of range, a flag that the job does not read (one of the
            published code may be given where no job is named), a path that begins with the home of nobody.
    """
    words = list(argv)
    job = words.pop(0) if words and not words[0].startswith("-") else None
    if job is not None and job not in jobs:
        raise UserError(f"unknown job {job!r}{_nearest(job, jobs)}; jobs: {', '.join(jobs)}")
    others = [word for word in words if word not in HELP]
    values = _flag_values(choices or {})
    try:
        stray = values(["main.py", *_join_booleans(others)])[1:]
    except absl_flags.Error as error:
        raise UserError(_one_line(error)) from error
    explicit = frozenset(name for name in FLAGS if values[name].present)
    options = Options(**{name: values[name].value for name in FLAGS}, explicit=explicit)
    if others != words:
        return "help", SimpleNamespace(help_for=job, flags=options)
    if stray:
        raise UserError(f"stray word {stray[0]!r} on the command line")
    chosen = job or _published_choice(options)
    _refuse_unread(chosen, explicit - PUBLISHED if job is None else explicit)
    return chosen, options.changed(**_expanded_paths(chosen, options))


def help_text(jobs, job=None, choices=None, defaults=None, left_out=()):
    """The help of one job: its flags in groups, with defaults; or, without a job, of all of them.

    Args:
        jobs, choices: as parse has them.
        defaults: {flag: its default}, where it is not the one of utils/flags.py.
        left_out: flags that are not shown.
    """
    lines = ["usage: python main.py [JOB] [--flag value ...]", ""]
    if job is None:
        lines += ["jobs (python main.py JOB --help for the flags of one):"]
        lines += [f"  {name:<12} {text}" for name, text in jobs.items()]
        lines += ["", "Without a job --is_train, --train_generator, --generate_dataset and --fit_dataset decide."]
    else:
        lines += [f"{job}: {jobs[job]}"]
    for group, flags in GROUPS.items():
        shown = [flag for flag in flags if job is None or flag.jobs is None or job in flag.jobs]
        shown = [flag for flag in shown if flag.name not in left_out]
        if shown:
            lines += ["", f"{group}:"]
            lines += [_flag_help(flag, choices or {}, defaults or {}) for flag in shown]
    return "\n".join(lines)


def _flag_values(choices):
    values = absl_flags.FlagValues()
    values.set_gnu_getopt(True)
    for flag in FLAGS.values():
        if allowed := choices.get(flag.name, flag.choices):
            absl_flags.DEFINE_enum(flag.name, flag.default, list(allowed), flag.help, flag_values=values)
        elif flag.kind is bool:
            absl_flags.DEFINE_boolean(flag.name, flag.default, flag.help, flag_values=values)
        elif flag.kind is int:
            absl_flags.DEFINE_integer(
                flag.name, flag.default, flag.help, flag.low, flag.high or MOST, flag_values=values
            )
        elif flag.kind is float:
            absl_flags.DEFINE_float(
                flag.name, flag.default, flag.help, flag.low, flag.high, flag_values=values
            )
            absl_flags.register_validator(flag.name, math.isfinite, "must be a finite number", flag_values=values)
        else:
            absl_flags.DEFINE_string(flag.name, flag.default, flag.help, flag_values=values)
        if flag.multiple > 1:
            absl_flags.register_validator(
                flag.name,
                lambda value, step=flag.multiple: value % step == 0,
                f"must be a multiple of {flag.multiple}",
                flag_values=values,
            )
    return values


def _join_booleans(words):
    """`--x False` means `--x=False` for a boolean; plain absl would take `--x` as True and leave a stray word."""
    joined = []
    words = iter(words)
    word = next(words, None)
    while word is not None:
        following = next(words, None)
        name, equals, value = word.lstrip("-").partition("=")
        boolean = word.startswith("-") and name in FLAGS and FLAGS[name].kind is bool
        if boolean and not equals and following is not None and following.lower() in TRUE + FALSE:
            value, following = following, next(words, None)
        if boolean and value.lower() in TRUE + FALSE:
            word = f"--{name}={value.lower() in TRUE}"
        joined.append(word)
        word = following
    return joined


def _refuse_unread(job, names):
    """An error where one of the flags is not for this job."""
    for name in sorted(names):
        jobs = FLAGS[name].jobs
        if jobs == ():
            raise UserError(f"--{name}: no job reads it ({FLAGS[name].help})")
        if jobs is not None and job not in jobs:
            raise UserError(f"--{name}: the job {job} does not read it; it is for {', '.join(jobs)}")


def _expanded_paths(job, options):
    """{flag: its path without ~} of all flags that name paths."""
    paths = {}
    for flag in (flag for flag in FLAGS.values() if flag.path):
        value = getattr(options, flag.name)
        parts = [os.path.expanduser(part) for part in (value.split(",") if flag.path == "many" else [value])]
        homeless = [part for part in parts if part.startswith("~")]
        needed = flag.default and job not in flag.empty
        if flag.name in options.explicit and needed and not value.strip(" ,"):
            raise UserError(f"--{flag.name} {value!r}: an empty name; give a path")
        if homeless and (flag.name in options.explicit or flag.jobs is None or job in flag.jobs):
            raise UserError(f"--{flag.name} {homeless[0]}: no such home folder is known; give the whole path")
        paths[flag.name] = ",".join(parts)
    return paths


def _published_choice(options):
    if not options.is_train:
        return "test"
    if options.train_generator:
        return "train"
    if options.generate_dataset:
        return "generate"
    if options.fit_dataset:
        return "fit"
    raise UserError("nothing to do: --train_generator, --generate_dataset and --fit_dataset are all False")


def _one_line(error):
    if isinstance(error, absl_flags.UnrecognizedFlagError):
        return f"unknown flag --{error.flagname}{_nearest_flag(error.flagname)}"
    return " ".join(str(error).split())


def _nearest_flag(word):
    return _nearest(word.lstrip("-").partition("=")[0], FLAGS, "--")


def _nearest(word, names, prefix=""):
    found = difflib.get_close_matches(word, list(names), n=1, cutoff=0.5)
    return f"; did you mean {prefix}{found[0]}?" if found else ""


def _flag_help(flag, choices, defaults):
    choices, default = choices.get(flag.name, flag.choices), defaults.get(flag.name, flag.default)
    choices = f" [{'|'.join(choice or repr('') for choice in choices)}]" if choices else ""
    return f"  --{flag.name} ({default!r}){choices}\n        {flag.help}"
