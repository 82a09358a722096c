import re
import tomllib
from colorsys import rgb_to_hsv
from itertools import pairwise

import pytest

from pages.components.shared import colours
from pages.components.shared.colours import GRAPHIC_CONTRAST, TEXT_CONTRAST, contrast, luminance
from tests.conftest import PROJECT

THEME = tomllib.loads((PROJECT / ".streamlit" / "config.toml").read_text("utf-8"))["theme"]
REPORT = (PROJECT / "core" / "reports" / "report_style.css").read_text("utf-8")

FADED = 0.6
"""Streamlit draws captions, placeholders and what is disabled with so much of the text's colour."""

LIGHTER = 1.2
"""So much lighter or darker than its neighbour, in a picture in grey, is each part of a bar."""

DRAWN = (colours.FROZEN, colours.LEARNS, colours.WRONG, colours.OTHER, *colours.SERIES)


def mixed(colour: str, ground: str, share: float) -> str:
    pairs = [(int(colour[place : place + 2], 16), int(ground[place : place + 2], 16)) for place in (1, 3, 5)]
    return "#" + "".join(f"{round(share * one + (1 - share) * other):02x}" for one, other in pairs)


def is_orange(colour: str) -> bool:
    hue, saturation, _ = rgb_to_hsv(*(int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)))
    return 15 <= 360 * hue <= 48 and saturation > 0.5


@pytest.mark.parametrize("look", ["light", "dark"])
def test_text_of_the_theme_can_be_read(look: str) -> None:
    theme = THEME[look]
    grounds = (theme["backgroundColor"], theme["secondaryBackgroundColor"], theme["sidebar"]["backgroundColor"])
    for ground in grounds:
        texts = [theme["textColor"], mixed(theme["textColor"], ground, FADED), theme["linkColor"]]
        texts += [theme["grayTextColor"]] if "grayTextColor" in theme else []
        assert min(contrast(text, ground) for text in texts) >= TEXT_CONTRAST, ground
    assert contrast(colours.PAPER, theme["primaryColor"]) >= TEXT_CONTRAST  # the label of a primary button is white
    assert contrast(theme["primaryColor"], grounds[0]) >= GRAPHIC_CONTRAST


def test_what_charts_draw_can_be_seen_in_both_themes_and_labels_on_it_can_be_read() -> None:
    for colour in DRAWN:
        for look in ("light", "dark"):
            assert contrast(colour, THEME[look]["backgroundColor"]) >= GRAPHIC_CONTRAST, (colour, look)
    for colour in (colours.TRAINING, colours.VALIDATION, colours.TEST):
        assert contrast(colour, colours.label_on(colour)) >= TEXT_CONTRAST, colour
    for colour in (*colours.RIGHT_TINTS, *colours.WRONG_TINTS):
        assert contrast(colour, colours.INK) >= TEXT_CONTRAST, colour


def test_parts_can_be_told_apart_in_grey() -> None:
    for one, other in pairwise((colours.TRAINING, colours.VALIDATION, colours.TEST)):
        assert contrast(one, other) >= LIGHTER


def test_no_file_has_a_colour_of_its_own() -> None:
    named = re.compile("#[0-9a-f]{6}")
    table = {*named.findall((PROJECT / "pages/components/shared/colours.py").read_text("utf-8"))}
    table |= {*named.findall((PROJECT / ".streamlit/config.toml").read_text("utf-8"))}
    for file in sorted((PROJECT / "pages").rglob("*")):
        if file.suffix in (".py", ".css", ".js", ".svg"):
            assert {*named.findall(file.read_text("utf-8").lower())} <= table, file


def test_right_and_wrong_can_be_read_as_text() -> None:
    for texts in (colours.ANSWER_TEXT, colours.WRONG_TEXT):
        for text, look in zip(texts, ("light", "dark"), strict=True):
            assert contrast(text, THEME[look]["backgroundColor"]) >= TEXT_CONTRAST, (text, look)


def test_evidence_for_and_against_can_be_told_apart_in_grey() -> None:
    assert luminance(colours.AGAINST) < luminance(colours.EDGE) < luminance(colours.FOR)
    assert min(contrast(colours.EDGE, end) for end in (colours.FOR, colours.AGAINST)) >= 1.5
    assert contrast(colours.FOR, colours.AGAINST) >= TEXT_CONTRAST


def test_only_what_learns_is_orange() -> None:
    assert {colour for colour in DRAWN if is_orange(colour)} == {colours.LEARNS}


def test_text_of_a_report_can_be_read_in_both_looks_and_on_its_cells() -> None:
    light, dark = (
        dict(re.findall(r"--([a-z]+): (#[0-9a-f]+|[\d, ]+);", part)) for part in REPORT.split("@media", 2)[:2]
    )
    for look in (light, {**light, **dark}):
        named = {name: "#" + 2 * value[1:] if len(value) == 4 else value for name, value in look.items()}
        cells = ["#" + "".join(f"{int(number):02x}" for number in look[cell].split(",")) for cell in ("right", "wrong")]
        for ground in (named["paper"], named["ground"]):
            for text in ("ink", "soft", "blue"):
                assert contrast(named[text], ground) >= TEXT_CONTRAST, (text, ground)
        for cell in cells:
            assert contrast(named["ink"], cell) >= TEXT_CONTRAST, cell
        for drawn in ("blue", "red"):
            assert contrast(named[drawn], named["paper"]) >= GRAPHIC_CONTRAST, drawn
