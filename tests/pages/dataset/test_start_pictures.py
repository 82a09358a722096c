import re
from base64 import b64decode

import pytest

from core.language import reading
from pages.components.dataset import start_pictures
from tests.catalogues import INCOMPLETE


@pytest.mark.parametrize(
    ("code", "words"), [("en", ["cup", "pen"]), ("zh", ["杯子", "笔"]), ("de", ["Tasse", "Stift"])]
)
def test_words_in_a_picture_have_room_in_every_language(
    code: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNFREEZE_LOCALE", str(INCOMPLETE))
    with reading(code):
        drawn = b64decode(re.findall(r"base64,([^\"]+)", start_pictures.the_way())[-1]).decode()
    assert re.findall(r">([^<>]+)</text>", drawn) == words
    [begin] = {float(x) for x in re.findall(r'<text x="([\d.]+)"', drawn)}
    widest = max(len(word) * (15 if code == "zh" else 8) for word in words)
    bars = [(float(x), float(width)) for x, width in re.findall(r'<rect x="(\d+)" y="\d+" width="(\d+)"', drawn)][-2:]
    found = re.search(r'viewBox="0 0 (\d+)', drawn)
    assert found and all(begin + widest < x and x + width < float(found[1]) for x, width in bars)
