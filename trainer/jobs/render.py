"""The `render` job: labelled pictures of people who do not exist, drawn from a morphable face model."""

import sys
from pathlib import Path

from data_loader import licences
from data_loader.crops import check_format
from data_loader.morphable.maps import MAPS
from data_loader.morphable.parameters import METADATA, RENDERED
from data_loader.render import RenderFolder
from utils.claim import Claim
from utils.errors import UserError
from utils.processes import work_through
from utils.shards import parse_shard


def run(options):
    """Draw n_id people, images_per_id pictures of each, into data_dir/syn_dataset/<person>/<picture>.<image_format>.

    Picture and parameters depend on (random_seed, person, picture) and the settings alone, so that any shard, any order
    and a run that goes on after an interruption give the same bytes. <person>/metadata.csv holds the person's
    parameters, a row a picture; metadata.csv all of them, written by the run that finds every person complete;
    render.json the settings. --maps writes what the pictures show beside colours into data_dir/<syn_dataset>_maps.

    Args:
        options: data_dir, syn_dataset, n_id, images_per_id, syn_scale_size (pixels), image_format, random_seed,
            morphable_model, statistics_dir, published_pose, yaw_range, pitch_range, roll_range (degrees, half-widths),
            maps ("": none), shard ("2/8": the second of eight parts of the people; "": all), num_worker (processes),
            asset_dir.

    Raises:
        UserError: a value out of range, a folder that holds pictures of other settings, or one shard of several that
            leaves out a map that others make.
    """
    _check(options)
    shard = parse_shard(options.shard)
    people = shard.part(range(1, options.n_id + 1))
    renders = RenderFolder(Path(options.data_dir).expanduser() / options.syn_dataset, options)
    _claim(renders, shard)
    licences.write(renders.folder, [licences.of_model(options.morphable_model)], [options.statistics_dir])
    if renders.source.note:
        print(renders.source.note, file=sys.stderr)
    missing = [(person, images) for person in people if (images := renders.missing(person))]
    total = len(people) * options.images_per_id
    work_through(renders.draw, missing, total, "render", options.num_worker)
    if others := renders.others():
        print(f"warning: --n_id {options.n_id}: {renders.folder} holds {len(others)} more people, of an earlier run; "
              "they stay", file=sys.stderr)  # fmt: skip
    if waiting := renders.finish():
        print(f"render: {waiting} people of other shards are not there yet; the last one to end writes "
              f"{renders.folder / METADATA}")


def _claim(renders, shard):
    """Claim the folder and that of the maps, by all shards, at once perhaps; nothing is made where one is refused."""
    claims = [Claim(renders.folder, RENDERED, renders.settings, "--syn_dataset")]
    if renders.maps:
        claims.append(Claim(renders.maps_folder, RENDERED, renders.settings, "--maps"))
    for claim in claims:
        claim.earlier()
    others = [name for name in MAPS if name not in renders.maps and (renders.maps_folder / name).is_dir()]
    if shard.of > 1 and others and (renders.maps_folder / RENDERED).is_file():
        raise UserError(f"--maps {','.join(renders.maps) or chr(39) * 2}: {renders.maps_folder} holds "
                        f"{', '.join(others)} too: give every shard the same")  # fmt: skip
    for claim in claims:
        claim.take()
    for name in renders.maps:
        (renders.maps_folder / name).mkdir(exist_ok=True)


def _check(options):
    for name, least in (("n_id", 1), ("images_per_id", 1), ("syn_scale_size", 16), ("num_worker", 1),
                        ("random_seed", 0)):
        if getattr(options, name) < least:
            raise UserError(f"--{name} {getattr(options, name)}: must be at least {least}")
    for name, most in (("yaw_range", 90), ("pitch_range", 60), ("roll_range", 180)):
        if not 0 <= getattr(options, name) <= most:
            raise UserError(f"--{name} {getattr(options, name)}: must be 0 to {most} degrees")
    check_format(options.image_format)
    for name in options.maps.split(",") if options.maps else ():
        if name.strip() not in MAPS:
            raise UserError(f"--maps {options.maps}: {name.strip()!r} is none of {', '.join(MAPS)}")
    if options.published_pose and not options.statistics_dir:
        raise UserError("--published_pose: needs --statistics_dir, whose poses it sets to yaw 0")
