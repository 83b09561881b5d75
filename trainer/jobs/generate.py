"""The job `generate`: renders in, a labelled data set of generated photographs out. Needs renders and weights only."""

from functools import partial
from pathlib import Path

from data_loader import folders
from trainer.output import card, provenance
from trainer.output.folder import OutputFolder, target_folder
from trainer.output.scores import SCORES, asked_scores, told_scores
from trainer.output.writer import Task, translate
from trainer.systems.identity import chip_places
from trainer.training.load import load_trained


def run(options):
    """Generate. Everything that can be wrong with the input is found before anything is written."""
    scores = asked_scores(options.scores)
    trained = load_trained(options)
    target = target_folder("save_syn_dataset", options)
    cache = Path(options.asset_dir).expanduser() / "index"
    source = Path(options.data_dir).expanduser() / options.syn_dataset
    index = folders.index_images(source, cache, labelled=True, flag="--syn_dataset")
    description = provenance.describe("generate", trained, index, options)
    description["settings"]["scores"] = told_scores(scores)
    knows_identities = "c_score" in scores and _knows_identities(trained, index)

    chips = chip_places(index, options) if knows_identities else None

    def network(renders, positions):
        batch = {"synthetic": renders} | ({"identity": index.labels[positions]} if knows_identities else {})
        return trained.system.generate(batch | ({"chip": chips[positions]} if chips is not None else {}), scores=scores)

    output = OutputFolder(target, description, SCORES)
    return translate(Task(index, output, network, partial(card.text, output.run)), options)


def _knows_identities(trained, index):
    """Whether the labels are those of the training, so that identity scores mean something; else says why not."""
    if getattr(trained.system, "identity", None) is None:
        print("c_score stays empty: these weights come without an identity network")
        return False
    if trained.params.get("label_names") != index.label_names:
        print(f"c_score stays empty: {trained.checkpoint} was trained with other identities ({trained.params['n_id']})")
        return False
    return True
