"""Texts that go through `core.language` as Babel and a translator need them, all over the product."""

import ast
import re
from collections.abc import Iterator

from tests.catalogues import KEYWORDS, PROJECT, extracted

PLACEHOLDER = re.compile(r"\{(\w+)\}")
MESSAGES = {"tr": slice(0, 1), "tr_mark": slice(0, 1), "tr_plural": slice(0, 2), "tr_context": slice(0, 2)}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Each call of a function that takes messages: where it is, the call, the name of the function."""
    files = [file for folder in ("core", "pages", "command_line") for file in (PROJECT / folder).rglob("*.py")]
    for file in (*files, PROJECT / "app.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MESSAGES:
                yield f"{file.relative_to(PROJECT)}:{node.lineno}", node, node.func.id


def constants(call: ast.Call, name: str) -> list[str] | None:
    """The messages of a call; None where one of them is made at run time."""
    texts = [each.value for each in call.args[MESSAGES[name]] if isinstance(each, ast.Constant)]
    whole = len(texts) == MESSAGES[name].stop and all(isinstance(text, str) for text in texts)
    return [str(text) for text in texts] if whole else None


def test_every_message_is_written_out_unless_it_was_marked_before() -> None:
    made = [place for place, call, name in calls() if constants(call, name) is None]
    wrong = [
        f"{place} {ast.unparse(call)}"
        for place, call, name in calls()
        if place in made and (name != "tr" or isinstance(call.args[0], ast.JoinedStr | ast.BinOp))
    ]
    assert not wrong, "a message is one constant text, or `tr` of one that went through `tr_mark`"


def test_every_placeholder_has_a_value_and_every_value_a_placeholder() -> None:
    wrong = []
    for place, call, name in calls():
        texts = constants(call, name)
        if texts is None or name == "tr_mark" or any(keyword.arg is None for keyword in call.keywords):
            continue
        given = {str(keyword.arg) for keyword in call.keywords}
        named = [set(PLACEHOLDER.findall(text)) for text in texts[1 if name == "tr_context" else 0 :]]
        known = given | ({"count"} if name == "tr_plural" else set())
        if not set.union(*named) <= known or not given <= set.union(*named):
            wrong.append(f"{place} {texts}: {sorted(given)}")
    assert not wrong


def test_a_message_has_no_spaces_around_it_and_no_signs_of_python() -> None:
    wrong = [
        f"{place} {text!r}"
        for place, call, name in calls()
        for text in constants(call, name) or []
        if text != text.strip() or re.search(r"\{\w*[^\w}][^}]*\}|%[sd(]", text)
    ]
    assert not wrong, "a space belongs to whoever joins texts; numbers are written by `tr` or `number`"


def test_babel_finds_what_the_source_holds() -> None:
    assert set(KEYWORDS) == set(MESSAGES)
    found = {
        message.id if isinstance(message.id, str) else message.id[0]
        for message in extracted()
        if message.id and any(str(file).endswith(".py") for file, _ in message.locations)
    }
    first = {texts[1 if name == "tr_context" else 0] for _, call, name in calls() if (texts := constants(call, name))}
    assert first - {""} == found
