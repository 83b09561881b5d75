"""A photograph and the render of the face fitted to it, written into the two files of a pair."""

from data_loader import portraits
from data_loader.crops import NoOutput, read_photograph, save
from data_loader.folders import RENDERS
from data_loader.morphable import parameters
from utils.errors import UserError

COLUMNS = ("error", "faces", "path")  # what is said of a pair, before its parameters


class Pairer:
    """Writes the pair of one photograph: a call takes (file, output) and gives the values of `columns`.

    It can be pickled: another process opens the model anew.

    Args:
        source: folder (Path) that `file` is relative to.
        folder: the photograph's crop becomes <folder>/<output>, its render <folder>/3dmm/<output>.
        options: as portraits.open_portraitist takes them.
        assets: what portraits.fetch gave.

    Attributes:
        parameters: names of the fitted numbers.
        columns: COLUMNS and these.

    Raises:
        UserError: as portraits.open_portraitist; in a call UnreadableImage, or NoOutput with the reason.
    """

    def __init__(self, source, folder, options, assets):
        self.arguments = source, folder, options, assets
        self.source, self.folder = source, folder
        self.portraitist = portraits.open_portraitist(options, assets)
        self.parameters = tuple(self.portraitist.columns)
        self.columns = (*COLUMNS, *self.parameters)

    def __reduce__(self):
        return Pairer, self.arguments

    def __call__(self, file, output):
        pixels = read_photograph(self.source / file, self.portraitist.longest)
        try:
            portrait = self.portraitist(self.source / file, pixels)
        except UserError as error:  # of a .mat beside the photograph
            raise NoOutput(str(error)) from error
        save(portrait.render, self.folder / RENDERS / output)
        save(portrait.photograph, self.folder / output)  # last: a kill leaves no photograph without its render
        numbers = [parameters.short(number) if isinstance(number, float) else number for number in portrait.numbers]
        return [f"{portrait.error:.3f}", portrait.faces, output, *numbers]
