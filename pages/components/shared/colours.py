"""The named colours of charts and drawings: one meaning, one name. Knows nothing of Streamlit.

Each is used in the light and in the dark theme, so each has a contrast of at least 3 : 1 with both backgrounds.
Nothing is told by a colour alone: shapes, patterns, gaps or words repeat it.
The colours of the page itself are in `.streamlit/config.toml`. Style sheets and drawings in files, which cannot name
colours, may hold those of either alone; a test compares.
"""

FROZEN, LEARNS = "#2b93c4", "#de7926"
"""Ice and fire: what of a network stays as it is, and what learns. Nothing else is orange."""

ANSWER, WRONG = "#1f7aa6", "#c0392b"
"""What a model says, and that it is right, in the brand's blue; that it is wrong, in dark red and with a cross."""

FOR, AGAINST = "#5cc4f2", "#5f1f57"
"""Evidence for an answer, and against it, over a photo in grey: lighter than its middle, and darker."""

OTHER = "#84929b"
"""Other answers than the most probable one, what is not used, and lines to compare with."""

TRAINING, VALIDATION, TEST = "#84929b", ANSWER, "#9f428b"
"""The subsets; from each to the next, the lightness changes as well."""

SERIES = (ANSWER, "#8c8f2f", "#9f428b", "#3a9aa8", "#c9587f", "#6f7fc9", "#2f8f62", "#8b7355")
"""Runs or classes drawn over one another, in this order."""

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right", "triangle-left")
"""The shapes that go with `SERIES`."""

RIGHT_TINTS, WRONG_TINTS = ("#d9ecf5", "#6fb6d8"), ("#fbe3e0", "#e8857c")
"""Cells of a confusion matrix, from few photos to many; `INK` is readable on all of them."""

EDGE = "#8a8f94"
"""Frames, and the lines of drawings that stand for no value."""

ANSWER_TEXT, WRONG_TEXT = ("#0b6e99", "#6cc3ea"), ("#b3261e", "#ff9a90")
"""The same two as small text, on a light and on a dark page."""

INK, PAPER = "#0d1a21", "#ffffff"
"""Dark and light text on a coloured ground."""

TEXT_CONTRAST, GRAPHIC_CONTRAST = 4.5, 3.0
"""What WCAG 2.2 asks for at level AA: 1.4.3 of text, 1.4.11 of other things that one must see."""


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb", 0..1, as WCAG 2.2 defines it."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1..21, as WCAG 2.2 defines it."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def label_on(colour: str) -> str:
    """The colour of a text on this ground: dark or light, whichever can be read better."""
    return max((INK, PAPER), key=lambda text: contrast(text, colour))
