"""How much is accepted: the check of an upload's size, and the list of all limits."""

import streamlit as st

from core import formatting
from core.errors import PhotoError
from core.settings import FILE_NAME
from pages.components.cached import services
from pages.components.shared import elements


def check_upload_size(size: int, most: int) -> None:
    """Raise `PhotoError` for an upload above the limit; a widget's own limit is not enforced by the server."""
    if size > most:
        raise PhotoError(f"The file has {size / 1e6:.0f} MB; at most {most / 1e6:.0f} MB are read.")


def show_limits() -> None:
    """How much is taken in, and how to change that."""
    most = services.settings().limits
    with st.expander("Limits", icon=":material/straighten:"):
        elements.facts(
            [
                ("Photos in a dataset", f"{most.files:,}"),
                ("Bytes of a photo", formatting.size(most.file_bytes)),
                ("Pixels of a photo", f"{most.pixels:,}"),
                ("Folders deep", f"{most.depth:,}"),
                ("Bytes of an upload, unpacked", formatting.size(most.total_bytes)),
                ("Photos in an upload", f"{most.uploads:,}"),
                ("Feature cache", formatting.size(most.feature_cache_bytes)),
                ("How tightly a ZIP may be packed", f"{most.ratio:,} : 1"),
            ]
        )
        st.caption(
            "What lies above is left out and listed with its reason. To change a limit, write it into"
            f" `{services.settings().home / FILE_NAME}` under `[limits]`, for example `files = 500000`, and start"
            " again."
        )


def photo_megabytes() -> int:
    """The largest photo that a browser may send, in whole megabytes."""
    return max(1, services.settings().limits.file_bytes // 1_000_000)
