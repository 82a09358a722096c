import pytest

from core.models.backbones import BACKBONES, Backbone, backbone
from pages.components import drawings


@pytest.mark.parametrize("row", BACKBONES, ids=lambda row: row.key)
def test_the_picture_moves_with_the_unfreeze_point(row: Backbone) -> None:
    for point in row.unfreeze_points:
        html = drawings.network_picture(row, point, 5)
        learning = len(row.trainable_blocks(point)) + 1
        assert html.count('class="uf-block uf-learns"') == learning
        assert html.count('class="uf-block uf-frozen"') == len(row.blocks) + 1 - learning


def test_the_counts_are_those_of_the_network() -> None:
    html = drawings.network_picture(backbone("efficientnet-b0"), "none", 5)
    head = (1280 + 1) * 5
    assert f"learns: {drawings.count(head)} parameters" in html


@pytest.mark.parametrize(
    ("number", "words"), [(950, "950"), (12_345, "12.3 k"), (4_049_571, "4.0 M"), (390_000_000, "390 M")]
)
def test_counts_read_as_people_say_them(number: int, words: str) -> None:
    assert drawings.count(number) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, "> 99.9 %"), (0.0001, "< 0.1 %"), (0.825, "82.5 %")],
)
def test_percent_never_claims_certainty(share: float, words: str) -> None:
    assert drawings.percent(share) == words


def test_names_in_pictures_are_text_not_markup() -> None:
    html = drawings.probability_bars([("<script>alert(1)</script>", 0.9), ("b", 0.1)])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
