"""The job `status`: how far a folder of generated images has come."""

import time

from data_loader.generated_folder import RUN
from trainer.output.resumable_folder import rows_name
from trainer.output.shards import open_folder


def run(options):
    """Print for each shard of data_dir/save_syn_dataset that is not done how many images it has, and a guess of when
    the folder is finished. Writes nothing.

    Returns:
        Exit status: 0 where it is finished, else 1.

    Raises:
        UserError: no such folder, or one that was finished and of which images are gone.
    """
    output = open_folder(options)
    if output.finished:
        output.refuse_gone()
        print(f"{output.folder} is finished: {output.run['images']} images")
        return 0
    total, left = output.run["inputs"]["images"], list(output.missing())
    for shard, done, of in left:
        print(f"shard {shard}: {done} of {of} images")
    done = total - sum(of - done for _, done, of in left)
    print(f"{output.folder}: {done} of {total} images, {output.shard.of - len(left)} of {output.shard.of} shards; "
          f"{_remaining(output, done, total)}")  # fmt: skip
    return 1


def _remaining(output, done, total):
    """By the images between the first moment and the newest row: wrong where it was interrupted for long."""
    tables = [output.folder / rows_name(shard) for shard in output.shards]
    newest = max((path.stat().st_mtime for path in tables if path.is_file()), default=0.0)
    spent = newest - (output.folder / RUN).stat().st_mtime
    if done == total:
        return "all done: merge completes it"
    if not done or spent <= 0 or time.time() - newest > 600:
        return "nobody has written for ten minutes" if done else "nothing is done yet"
    return f"about {spent / done * (total - done) / 60:.0f} minutes more at this pace"
