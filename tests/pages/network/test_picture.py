import pytest

from core.models.architecture import head_layers
from core.models.backbones import BACKBONES, backbone
from pages.components.network import picture
from pages.components.network.picture import Example, frozen_blocks, point_at, row, sides
from pages.components.shared.drawings import count

B0 = backbone("efficientnet-b0")
HEAD = head_layers(B0, 5)


def test_each_unfreeze_point_is_a_place_of_the_border() -> None:
    for each in BACKBONES:
        places = [frozen_blocks(each, point) for point in each.unfreeze_points]
        assert [point_at(each, place) for place in places] == list(each.unfreeze_points)
        assert not each.pretrained or sorted(places) == list(range(len(each.blocks) + 1))


@pytest.mark.parametrize("frozen", [0, 6, 9])
def test_blocks_before_the_border_are_frozen_and_the_head_always_learns(frozen: int) -> None:
    html = row(B0, frozen)
    assert html.count('class="block frozen"') == frozen
    assert html.count('class="block learns"') == len(B0.blocks) + 1 - frozen
    assert f"--frozen:{frozen}" in html


def test_the_sides_tell_the_numbers_of_the_network() -> None:
    head = (1280 + 1) * 5
    whole = sum(block.learnable + block.fixed for block in B0.blocks)
    alone = sides(B0, HEAD, len(B0.blocks))
    assert alone.learns == "only the head learns" and alone.warm == f"{count(head)} parameters learn"
    assert alone.cold == f"{count(whole)} parameters stay frozen"
    assert sides(B0, HEAD, 0).learns == "everything learns"
    assert sides(B0, HEAD, 6).learns == "learns from block6 on"


def test_a_block_that_learns_in_part_is_told_by_its_layer() -> None:
    learning = B0.learnable_parameters("block6") - 100_000
    found = sides(B0, HEAD, frozen_blocks(B0, "block6"), "block6b_expand_conv", learning)
    assert found.learns == "learns from block6b_expand_conv on"
    assert found.warm == f"{count(learning + 1281 * 5)} parameters learn"


def test_a_photo_and_its_class_are_the_ends_and_a_name_is_no_markup() -> None:
    html = row(B0, 3, Example(b"jpeg", "<b>x"))
    assert 'src="data:image/jpeg;base64,anBlZw=="' in html and "&lt;b&gt;x" in html and "<b>x" not in html
    plain = picture.still(B0, row(B0, 3, small=True), 'so "it" is')
    assert 'role="img"' in plain and "so &quot;it&quot; is" in plain and "data:image/jpeg" not in plain
