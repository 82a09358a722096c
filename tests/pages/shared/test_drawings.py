from collections import Counter
from html.parser import HTMLParser

import pytest

from core.models.architecture import head_layers, load
from core.models.backbones import backbone
from core.settings import Settings, settings_from
from pages.components.shared import drawings


class Tags(HTMLParser):
    """Counts the tags of a page and knows which are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.counts: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.counts[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home = tmp_path_factory.mktemp("home")
    return settings_from({"UNFREEZE_HOME": str(home), "KERAS_HOME": str(home / "k")})


@pytest.mark.parametrize("key", ["efficientnet-b0", "resnet50", "baseline-cnn"])
def test_the_diagram_shows_every_layer_with_what_it_does(key: str, settings: Settings) -> None:
    row = backbone(key)
    found, head = load(row, settings), head_layers(row, 3, batch_norm=True)
    point = row.unfreeze_points[len(row.unfreeze_points) // 2]
    learning = found.learning(row, point)
    html = drawings.architecture_diagram(row, found, head, learning)
    check = Tags()
    check.feed(html)
    assert not check.open and check.counts["li"] == len(found.layers) + len(head)
    assert check.counts["details"] == len(row.blocks) + 1 + len({layer.group for layer in found.layers} - {""})
    for layer in (*found.layers, *head):
        assert f"<b>{layer.name}</b><span>{layer.kind}</span>" in html
    learn = len(learning) + sum(bool(layer.parameters) for layer in head)
    frozen = sum(bool(layer.parameters) for layer in found.layers) - len(learning)
    assert (html.count('aria-label="trainable"'), html.count('aria-label="frozen"')) == (learn, frozen)


def test_brackets_and_branches_are_drawn(settings: Settings) -> None:
    row = backbone("resnet50")
    found = load(row, settings)
    html = drawings.architecture_diagram(row, found, head_layers(row, 3), ())
    assert html.count('class="uf-skip"') == 12 and html.count('class="uf-aside"') == 4
    first = "conv5_block2_2_conv"
    partly = drawings.architecture_diagram(row, found, head_layers(row, 3), found.learning(row, "block4", first))
    assert f"trainable from {first} on" in partly


@pytest.mark.parametrize(
    ("number", "words"), [(950, "950"), (12_345, "12.3 k"), (4_049_571, "4.0 M"), (390_000_000, "390 M")]
)
def test_counts_read_as_people_say_them(number: int, words: str) -> None:
    assert drawings.count(number) == words


def test_names_in_pictures_are_text_not_markup() -> None:
    html = drawings.probability_bars([("<script>alert(1)</script>", 0.9), ("b", 0.1)])
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
