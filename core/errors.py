"""Every error that Unfreeze raises on purpose, in one tree.

A message says what came, what was expected and how to fix it, as sentences that can be shown to a person as they are.
Pages catch `UnfreezeError` and nothing broader.
"""

from collections.abc import Sequence
from typing import Any

from core.language import Text, retold, sentences, tr


class UnfreezeError(Exception):
    """The root: something a person can understand and fix, told in the language of whoever reads it."""

    @property
    def text(self) -> str:
        """What it says, as it was given: to be a value in another text, or kept as JSON (`core.language.kept`)."""
        return words_of(self)

    def __str__(self) -> str:
        """What it says, in the language of the present reader."""
        return retold(self.args[0]) if len(self.args) == 1 else super().__str__()


def words_of(error: BaseException) -> str:
    """What any error says, to be a value in another text or kept; a `Text` where it was given one."""
    given = error.args[0] if len(error.args) == 1 else None
    return given if isinstance(given, Text) else str(error)


class StorageError(UnfreezeError, OSError):
    """The disk did not take what was to be saved: it is full, read-only, or the folder is gone.

    An `OSError` as well, so that whoever can do without what was to be saved need not know this one.
    """


class FolderGone(StorageError, FileNotFoundError):
    """The folder in which something was to be saved has been deleted."""


class SettingsError(UnfreezeError):
    """The settings file holds something that cannot be."""


class DataError(UnfreezeError):
    """Something is wrong with photos or with the folder that holds them."""


class FolderError(DataError):
    """A folder is missing, unreadable, outside the allowed roots, or holds no classes."""


class UndecidedLayout(FolderError):
    """A folder can be read as a dataset in more than one way."""

    def __init__(self, question: str, choices: Sequence[Any]) -> None:
        """Ask a question, and hold each `LayoutChoice` of `core.data.scan`, the most likely first."""
        where = tr("Choose on the page “Dataset”, or with the command “unfreeze dataset”.") if choices else ""
        super().__init__(sentences(question, where))
        self.question, self.choices = question, tuple(choices)


class PhotoError(DataError):
    """One photo cannot be read: broken, not a photo, too large."""


class PhotoOutOfReach(PhotoError):
    """One photo cannot be read now, through no fault of its own: gone, not permitted, outside the allowed roots."""


class RecipeError(UnfreezeError):
    """A training choice is out of range or contradicts another."""


class WeightsError(UnfreezeError):
    """Pretrained weights cannot be used."""


class WeightsNotFound(WeightsError):
    """Pretrained weights are in none of the places that were tried."""


class UnsafeWeightsFile(WeightsError):
    """A weights file asks for more than arrays, or is damaged; nothing of it was executed."""


class ArchitectureError(UnfreezeError):
    """The layers of a network cannot be listed."""


class RunError(UnfreezeError):
    """Something is wrong with a run or with the folder that holds it."""


class RunNotFound(RunError):
    """No run has this name."""


class RunBusy(RunError):
    """The run is still going, so what was asked must wait or the run must be stopped first."""


class RunNotReady(RunError):
    """The run has not produced what was asked for, for example a model to predict with."""


class TransferError(RunError):
    """A run that was to be taken in from a file is damaged, or is none; nothing of it was kept."""


class FeatureCacheError(RunError):
    """The feature cache cannot be read or written; the features can be computed again instead."""


class ShardBusy(FeatureCacheError):
    """Another process is using this shard of the feature cache."""


class NoRoom(FeatureCacheError):
    """The feature cache has no room: its limit is reached, the disk is full, or it is switched off."""


class TrainingDiverged(RunError):
    """The loss is not a number any more; going on would change nothing."""


class PreviewError(UnfreezeError):
    """The process that draws augmented photos has ended."""


class ExportError(RunError):
    """A model cannot be taken along: a format is unknown, packages are missing, or the export falls short."""
