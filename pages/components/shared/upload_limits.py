"""How much is accepted: the check of an upload's size, and the list of all limits."""

import uuid
from collections.abc import Iterable

import streamlit as st
from streamlit.proto.Common_pb2 import FileURLs
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileManager, UploadedFileRec

from core import formatting
from core.errors import PhotoError
from core.language import number, tr
from core.settings import FILE_NAME
from pages.components.cached import services
from pages.components.shared import elements, markdown
from pages.components.shared.report_errors import ask


def check_upload_size(size: int, most: int) -> None:
    """Raise `PhotoError` for an upload above the limit; a widget's own limit is not enforced by the server."""
    if size > most:
        raise PhotoError(
            tr("The file is {size} MB; the limit is {most} MB.", size=round(size / 1e6), most=round(most / 1e6))
        )


def held(manager: UploadedFileManager) -> dict[str, int]:
    """How many bytes of uploads each session holds in the server's memory."""
    assert isinstance(manager, MemoryUploadedFileManager)
    return {
        session: sum(len(file.data) for file in list(files.values()))
        for session, files in list(manager.file_storage.items())
    }


def keep(name: str, content: bytes) -> UploadedFile:
    """Keep a file that came in another way than as an upload as if it had been one, with the same limits and end.

    Raises `PhotoError` where there is no room for it.
    """
    context = get_script_run_ctx()
    assert context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager)
    refusal = services.upload_totals().refusal(context.session_id, len(content), held(context.uploaded_file_mgr))
    if refusal:
        raise PhotoError(refusal)
    file = UploadedFileRec(file_id=uuid.uuid4().hex, name=name, type="", data=content)
    context.uploaded_file_mgr.add_file(context.session_id, file)
    return UploadedFile(file, FileURLs(file_id=file.file_id))


def release(files: Iterable[UploadedFile]) -> None:
    """Give back the memory of uploads that have been taken care of; Streamlit keeps them until the session ends."""
    context = get_script_run_ctx()
    if context is not None and isinstance(context.uploaded_file_mgr, MemoryUploadedFileManager):
        for file in files:
            context.uploaded_file_mgr.remove_file(context.session_id, file.file_id)


def show_limits() -> None:
    """How much is taken in and kept, how to change that, and a way to empty the feature cache."""
    most, cache = services.settings().limits, services.feature_cache()
    used = cache.used()
    with st.expander(tr("Limits"), key="limits", icon=":material/straighten:"):
        elements.facts(
            [
                (tr("Photos in a dataset"), number(most.files)),
                (tr("Size of a photo"), formatting.size(most.file_bytes)),
                (tr("Pixels per photo"), number(most.pixels)),
                (tr("Folder depth"), number(most.depth)),
                (tr("Size of an upload, unpacked"), formatting.size(most.total_bytes)),
                (tr("Photos per upload"), number(most.uploads)),
                (tr("Uploads held by a browser tab"), formatting.size(most.session_upload_bytes)),
                (tr("Uploads held in all"), formatting.size(most.server_upload_bytes)),
                (
                    tr("Feature cache"),
                    tr(
                        "{used} of {most}",
                        used=formatting.size(used),
                        most=formatting.size(most.feature_cache_bytes),
                    ),
                ),
                (tr("ZIP compression ratio"), f"{number(most.ratio)} : 1"),
            ]
        )
        st.caption(
            tr(
                "Whatever exceeds a limit is left out and listed with the reason. To change a limit, set it in {file}"
                " under {section}, for example {example}, and restart the app.",
                file=markdown.code(services.settings().home / FILE_NAME),
                section="`[limits]`",
                example="`files = 500000`",
            )
        )
        st.button(
            tr("Empty the feature cache"),
            key="empty-feature-cache",
            icon=":material/delete_sweep:",
            disabled=not used,
            help=tr(
                "It holds what frozen layers made of photos, and networks converted for that. Runs are not affected:"
                " the next one computes again what it needs."
            ),
            on_click=ask,
            args=(cache.clear,),
        )


def photo_megabytes() -> int:
    """The largest photo that a browser may send, in whole megabytes."""
    return max(1, services.settings().limits.file_bytes // 1_000_000)


def archive_megabytes() -> int:
    """The largest ZIP file that a browser may send, in whole megabytes: as the server takes, and a tab may hold."""
    most = services.settings().limits.session_upload_bytes // 2**20
    return max(1, min(int(st.get_option("server.maxUploadSize")), most))


def archive_uploader(label: str, key: str) -> UploadedFile | None:
    """A place for a ZIP file from the browser; None while there is none."""
    return st.file_uploader(label, type=["zip"], key=key, max_upload_size=archive_megabytes())
