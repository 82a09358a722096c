"""What every camera on a page has in common: its settings, its texts, its JavaScript and its style."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from core.language import tr_mark

_HERE = Path(__file__).parent

SCRIPT, STYLE = ((_HERE / name).read_text("utf-8") for name in ("camera_shared.js", "camera.css"))

SETTINGS = """
<details class="settings" hidden>
  <summary>
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 7h9m5 0h2M4 17h2m5 0h9"/><circle cx="15.5" cy="7" r="2.5"/>
    <circle cx="8.5" cy="17" r="2.5"/></svg>
  </summary>
  <div>
    <label><span class="which-words"></span><select class="which"></select></label>
    <label><span class="look-words"></span><select class="look"></select></label>
  </div>
</details>
"""
"""HTML for the frame of a camera: which camera it is, and how its picture is shown and stored."""

TEXTS: Mapping[str, str] = {
    "settings": tr_mark("Camera settings"),
    "which": tr_mark("Camera"),
    "unnamed": tr_mark("Camera {number}"),
    "look": tr_mark("Picture"),
    "mirror": tr_mark("Like a mirror; photos are not mirrored"),
    "plain": tr_mark("As the camera sees it, and so are photos"),
    "stored": tr_mark("Like a mirror, and so are photos"),
    "insecure": tr_mark(
        "This browser gives a page the camera only at localhost or https. On this computer, open the app as"
        " http://localhost."
    ),
    "refused": tr_mark("The browser was not allowed to use the camera. Allow it next to the address, and try again."),
    "missing": tr_mark("No camera was found. Connect one, and try again."),
    "busy": tr_mark("The camera is used by another program. Close that, and try again."),
    "failed": tr_mark("The camera could not be opened. Connect it again, and try once more."),
    "ended": tr_mark("The camera is gone. Connect it again, and open it once more."),
}
"""What the settings and troubles of a camera are called, to be told; `{number}` is filled in by the browser."""

_START = "data:image/jpeg;base64,"


def jpeg_of(address: str) -> bytes | None:
    """The file in a data address of a JPEG that a browser sent; None where it is something else."""
    try:
        return base64.b64decode(address.removeprefix(_START), validate=True)
    except (binascii.Error, ValueError):
        return None


def address_of(jpeg: bytes) -> str:
    """A JPEG file as a data address."""
    return _START + base64.b64encode(jpeg).decode()
