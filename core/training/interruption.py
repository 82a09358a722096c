"""What ends training before its end: a stop or a pause that somebody has requested. No Keras."""

from core.runs.store import Run


class StopAsked(Exception):
    """A stop was requested while nothing was being trained."""


class PauseAsked(Exception):
    """A pause was requested, and the checkpoint is written."""


def obey(run: Run) -> None:
    """Raise `StopAsked` or `PauseAsked` if a stop or a pause was requested."""
    if run.stop_requested():
        raise StopAsked
    if run.pause_requested():
        raise PauseAsked
