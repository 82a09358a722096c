"""How much all uploads together may hold in memory: for one browser tab, and for the whole server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core import formatting
from core.language import tr


@dataclass
class UploadTotals:
    """What is on its way, and what was refused.

    Sessions are named by the server, one for each browser tab. Sizes are in bytes.

    Attributes:
        per_session: Most bytes that one session may hold.
        in_all: Most bytes that all sessions together may hold.
        coming: For each upload on its way, by a key of its own, its session and its size.
        refused: For each session, the sentences about refused uploads that nobody has read yet.
    """

    per_session: int
    in_all: int
    coming: dict[object, tuple[str, int]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)

    def refusal(self, session: str, size: int, held: Mapping[str, int]) -> str:
        """Why an upload has no room beside what sessions hold and what is on its way; an empty text if it has."""
        coming = list(self.coming.values())
        mine = held.get(session, 0) + sum(bytes_ for owner, bytes_ in coming if owner == session)
        everyone = sum(held.values()) + sum(bytes_ for _, bytes_ in coming)
        if mine + size > self.per_session:
            return tr(
                "An upload of {size} was refused: this browser tab holds {held} already and may hold {limit}. Remove"
                " uploaded files, or reload the page.",
                size=formatting.size(size),
                held=formatting.size(mine),
                limit=formatting.size(self.per_session),
            )
        if everyone + size > self.in_all:
            return tr(
                "An upload of {size} was refused: all visitors together hold {held} already and may hold {limit}. Try"
                " again when others have closed their tabs.",
                size=formatting.size(size),
                held=formatting.size(everyone),
                limit=formatting.size(self.in_all),
            )
        return ""
