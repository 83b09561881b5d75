"""The `simulate` job: photographs to views of their faces from the side, labelled, for a refiner such as DA-GAN's."""

from pathlib import Path

from data_loader import licences
from data_loader.crops import check_folders
from data_loader.folders import index_images
from data_loader.morphable.parameters import METADATA
from data_loader.outcome import FAILED
from data_loader.simulate import SETTINGS, SIMULATOR, SimulatedFolder, read_yaws
from data_loader.training_sources import index_cache
from utils.claim import Claim
from utils.errors import UserError
from utils.processes import work_through
from utils.shards import parse_shard

CLAIM = "simulate.json"


def run(options):
    """Turn the face of every photograph of data_dir/dataset to --yaws: data_dir/save_simulated/<person>/<view>.

    The face is fitted as `pair` fits it, wears the photograph's own colours, and stands before what is around it there.
    metadata.csv holds a row for each view, failed.csv what gave none, and why; both also for each person, from which a
    second run goes on, and shards that run at once are put together by the last one.

    Args:
        options: data_dir, dataset, save_simulated, yaws, background, size (pixels), image_format, pair_crop,
            max_fit_error, shard ("2/8": the second of eight parts of the people; "": all), num_worker (processes),
            asset_dir.

    Raises:
        UserError: dlib is not installed; no photographs; a flag out of range; the output folder holds something else.
    """
    data = Path(options.data_dir).expanduser()
    source, folder = data / options.dataset, data / options.save_simulated
    check_folders(source, folder, "--save_simulated", options)
    try:
        yaws = read_yaws(options.yaws)
    except ValueError as error:
        raise UserError(f"--yaws {options.yaws}: {error}") from error
    index = index_images(source, index_cache(options), flag="--dataset")
    files = [index.relative_path(i) for i in range(len(index))]
    simulated = SimulatedFolder(folder, source, files, yaws, options)
    for name in (METADATA, FAILED, CLAIM, licences.FILE):
        if name in simulated.people:
            raise UserError(f"--dataset: a person in {source} is called {name}, as a file that is written beside them")
    settings = {"simulator": SIMULATOR, "yaws": list(yaws), "input_content": index.digest}
    settings |= {name: getattr(options, name) for name in SETTINGS}
    people = parse_shard(options.shard).part(list(simulated.people))
    Claim(folder, CLAIM, settings, "--save_simulated").take()  # by all shards, at once perhaps
    licences.write(folder, ["makehuman", "landmarks"], [source])
    missing = [(person, entries) for person in people if (entries := simulated.missing(person))]
    total = sum(len(simulated.people[person]) for person in people)
    work_through(simulated.simulate, missing, total, "simulate", options.num_worker)
    waiting, views, failed = simulated.finish()
    print(f"simulate: {views} views in {folder}, {failed} photographs in failed.csv")
    if waiting:
        print(f"simulate: {waiting} people of other shards are not there yet; the last one to end writes "
              f"{folder / METADATA}")
