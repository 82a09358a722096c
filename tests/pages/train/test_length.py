"""What is said of each number of minutes on the Train page."""

from pages.components.train.length import said_once


def test_minutes_that_change_nothing_refer_to_fewer() -> None:
    words = ["10 epochs", "20 epochs", "20 epochs", "20 epochs"]
    assert said_once((2, 5, 10, 20), words) == ["10 epochs", "20 epochs", "As with 5 min", "As with 5 min"]
    assert said_once((), []) == []
