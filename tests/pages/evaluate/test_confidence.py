from pages.components.evaluate.confidence import how_calibrated


def test_a_temperature_says_which_photos_it_comes_from() -> None:
    assert "this run has none" in how_calibrated("test", None)
    assert "slightly optimistic" in how_calibrated("validation", 1.2)
    assert "slightly optimistic" not in how_calibrated("test", 1.2)
