"""Work in a thread of this process that others can wait for, and ask to stop."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from core.errors import DataError, UnfreezeError, words_of
from core.language import tr


class Cancelled(Exception):
    """The work was asked to stop."""


@dataclass(eq=False)
class BackgroundWork:
    """Work that goes on whoever watches. Its methods may be called from any thread.

    Attributes:
        error: Why it ended early, or None.
        cancelled: Whether it was asked to stop, and did.
    """

    error: UnfreezeError | None = field(default=None, init=False)
    cancelled: bool = field(default=False, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False, repr=False)

    def cancel(self) -> None:
        """Ask it to stop."""
        self._stop.set()

    def wait(self, seconds: float) -> bool:
        """Wait until it is over, at most so long; return whether it is."""
        return self._over.wait(seconds)

    @property
    def is_over(self) -> bool:
        """Whether it has ended, however it did."""
        return self._over.is_set()

    def stop_if_asked(self) -> None:
        """Break the work off, by raising `Cancelled`, when it was asked to stop."""
        if self._stop.is_set():
            raise Cancelled

    @contextmanager
    def telling_how_it_ends(self, failed: str) -> Iterator[None]:
        """Do the work inside in this thread, and take note of how it ends.

        Args:
            failed: What has not worked where an error comes that nobody foresaw, as the beginning of a sentence.
        """
        try:
            yield
        except Cancelled:
            self.cancelled = True
        except UnfreezeError as error:
            self.error = error
        except Exception as error:
            # The thread is about to end: whatever it was, the page must hear of it.
            logging.exception(failed)
            self.error = DataError(
                tr(
                    "{failed}: an unexpected {kind} ({reason}).",
                    failed=failed,
                    kind=type(error).__name__,
                    reason=words_of(error),
                )
            )
        finally:
            self._end()

    def _end(self) -> None:
        self._over.set()
