"""The job `merge`: what shards of `generate` or `fit` have written becomes one finished folder, or is named missing."""

from trainer.output import card
from trainer.output.shards import open_folder
from trainer.output.writer import tell_counts
from utils.errors import UserError


def run(options):
    """Merge the shards of data_dir/save_syn_dataset; the last shard to end does the same by itself.

    Raises:
        UserError: no such folder, one that is not written in shards, or shards that are not done, which are named.
    """
    output = open_folder(options)
    if output.tell_finished():
        return 0
    left = [f"{shard} ({done} of {of} images)" for shard, done, of in output.missing()]
    if left:
        raise UserError(f"{output.flag}: {output.folder} lacks shards {', '.join(left)}: run these")
    text = card.of(output) if output.run.get("made_of") else None
    with output:
        tell_counts(output, output.finish(text))
    return 0
