import re

import pytest

from pages.components.shared import markdown


def read(escaped: str) -> str:
    """What is left of escaped text when Markdown has been read."""
    spans = re.sub(r":color\[(\\?.)\]", r"\1", escaped)
    return re.sub(r"\\(.)", r"\1", spans).replace("&#32;", " ")


@pytest.mark.parametrize("name", ["*bold* _it_", "[a](http://b)", "`code` $x$", "# head", "a:red[b]", "<b> ~s~ | c"])
def test_no_sign_of_a_name_is_markdown(name: str) -> None:
    escaped = markdown.escape(name)
    assert read(escaped) == name
    plain = re.sub(r":color\[(\\?.)\]", r"\1", escaped)
    assert all(plain[place - 1] == "\\" for place, sign in enumerate(plain) if sign in "*_[]()`$#:<>~|")


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("https://evil.example", r"https:color[\:]\\"),
        ("WWW.evil.example", r"WWW:color[\.]evil\.example"),
        ("a@evil.example", r"a:color[@]evil\.example"),
        (":material/home:", r":color[\:]material"),
        ("a->b--c", r"a-:color[\>]b-:color[-]c"),
        ("<= >= ~=", r"\<:color[=] \>:color[=] \~:color[=]"),
    ],
)
def test_what_streamlit_looks_for_in_plain_text_is_broken_into_parts(name: str, broken: str) -> None:
    escaped = markdown.escape(name)
    assert escaped.startswith(broken.rstrip("\\")) and read(escaped) == name


def test_spaces_at_the_ends_stay_and_do_not_undo_what_is_bold() -> None:
    assert markdown.escape(" cat  ") == "&#32;cat&#32;&#32;"
    assert markdown.escape("  ") == "&#32;&#32;"


def test_a_name_stays_on_its_line_and_hides_nothing() -> None:
    assert markdown.escape("a\n\n\tb") == "a   b"
    assert markdown.escape("a\x1bb\u202ec") == "a\ufffdb\ufffdc"


@pytest.mark.parametrize("name", ["1. x", "12.", "- x", "--- ", "+", "1) x"])
def test_a_name_begins_no_list(name: str) -> None:
    escaped = markdown.escape(name)
    assert read(escaped) == name and re.match(r"\d*\\", escaped)


def test_sentences_stay_as_they_are() -> None:
    sentence = "The folder is gone. Is the well-known drive connected? Try again!"
    assert markdown.escape(sentence) == sentence


def test_an_error_is_shown_as_its_text() -> None:
    assert markdown.escape(ValueError("*x*")) == r"\*x\*"


@pytest.mark.parametrize("text", ["/a/b", "a`b", "``a`", "`"])
def test_code_is_shown_as_it_is(text: str) -> None:
    written = markdown.code(text)
    fence = re.match("`+", written)
    assert fence is not None and written.endswith(fence[0])
    inside = written[len(fence[0]) : -len(fence[0])]
    assert inside.strip(" ") == text and fence[0] not in inside
