import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.language import tr
from core.runs.messages import TEXTS, Message, text_of

PROJECT = Path(__file__).resolve().parents[3]


def messages_made() -> Iterator[tuple[str, set[str] | None]]:
    """The key of each message that the program makes, and the names of its values where they stand there."""
    trees = [ast.parse(path.read_text("utf-8")) for path in (PROJECT / "core").rglob("*.py")]
    for call in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if ast.unparse(call.func) == "Message" and call.args and isinstance(call.args[0], ast.Constant):
            values = call.args[1] if len(call.args) > 1 else ast.Dict([], [])
            keys = values.keys if isinstance(values, ast.Dict) else None
            yield str(call.args[0].value), None if keys is None else {ast.literal_eval(key) for key in keys if key}


def test_every_message_has_a_sentence_that_names_its_values() -> None:
    made = list(messages_made())
    assert len(made) > 3
    for key, names in made:
        named = {name for _, name, _, _ in string.Formatter().parse(TEXTS[key]) if name}
        assert names is None or names - {"share"} == named, key


def test_a_sentence_is_made_of_the_values() -> None:
    assert text_of(Message("no-room", {"bytes": 3 * 10**9})).startswith("Not cached (needs 3.0 GB): ")
    assert text_of(Message("cached-versions", {"number": 4})).startswith("The frozen layers run once for each of 4 ver")


def test_how_much_is_done_is_told_where_it_is_known_and_wanted() -> None:
    message = Message("sentence", {"text": "Unpacking", "share": 0.25})
    assert text_of(message) == "Unpacking, 25 %"
    assert text_of(message, with_share=False) == "Unpacking"


@pytest.mark.parametrize("message", [Message("new-thing", {"count": 3}), Message("no-room")])
def test_what_cannot_be_said_is_told_by_its_key(message: Message) -> None:
    assert text_of(message) == message.key.replace("-", " ").capitalize()


def test_no_message_is_no_text() -> None:
    assert not Message() and text_of(Message()) == ""


def test_braces_in_values_are_only_text() -> None:
    assert text_of(Message("sentence", {"text": "{text.__class__} {0}"})) == "{text.__class__} {0}"


def test_an_error_in_a_message_is_kept_as_what_it_was_made_of() -> None:
    message = Message("cache-failed", {"error": tr("No room in {folder}.", folder="here")})
    stored = message.to_json()
    assert stored["values"] == {"error": {"text": "No room in {folder}.", "values": {"folder": "here"}}}
    assert text_of(Message.from_json(stored)) == text_of(message)
    assert text_of(message).endswith("No room in here.")
