import pytest

from pages.components.shared import markdown


@pytest.mark.parametrize("name", ["*bold* _it_", "[a](http://b)", "`code` $x$", "# head", "a:red[b]", "<b> ~s~ | c"])
def test_no_sign_of_a_name_is_markdown(name: str) -> None:
    escaped = markdown.escape(name)
    assert escaped.replace("\\", "") == name
    assert all(escaped[place - 1] == "\\" for place, sign in enumerate(escaped) if sign in "*_[]()`$#:<>~|")
