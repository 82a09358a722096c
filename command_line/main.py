"""The command `unfreeze`: which commands there are, and what they return."""

import argparse
import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from command_line import check_labels, dataset, evaluate, export, predict, runs, train
from command_line.output import INTERRUPTED, Output, printable
from core.errors import UnfreezeError
from core.files import FULL
from core.language import ENGLISH, find_by, languages, matching, reading, tr, tr_mark
from core.processes.children import allow_interrupts
from core.settings import Settings, make_home, settings_from

VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a terminal says its language; the first that is set counts."""

DONE, FAILED, WRONG_USAGE = 0, 1, 2
"""What the process returns; argparse itself ends it with 2."""

ABOUT = tr_mark("""Fine-tune image classifiers from a terminal. Runs, datasets and decisions are the same as in the
browser (uv run --no-dev app.py).""")

CODES = tr_mark("""Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Results go to standard output,
everything else to standard error. Folders are set by UNFREEZE_HOME, UNFREEZE_DATASETS and UNFREEZE_WEIGHTS.""")


@dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
        name: What is typed.
        summary: What it does, in a line; a message that goes through `tr`.
        examples: Gives the examples that its help shows.
        add: Adds its options; the second parser holds those that all commands have.
        run: Carries it out, and returns what the process returns.
        writes: Whether it needs a home that can be written to, whatever its options.
    """

    name: str
    summary: str
    examples: Callable[[], str]
    add: Callable[[argparse.ArgumentParser, argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings, Output], int]
    writes: bool = True


WRONG: Mapping[str, str] = {
    "argument (?P<name>[^:]+): (?P<problem>.+)": tr_mark("argument {name}: {problem}"),
    "the following arguments are required: (?P<names>.+)": tr_mark("the following arguments are required: {names}"),
    "unrecognized arguments: (?P<names>.+)": tr_mark("unrecognized arguments: {names}"),
    "expected one argument": tr_mark("expected one argument"),
    "expected at least one argument": tr_mark("expected at least one argument"),
    "ignored explicit argument (?P<value>.+)": tr_mark("ignored explicit argument {value}"),
    "invalid int value: (?P<value>.+)": tr_mark("invalid int value: {value}"),
    r"invalid choice: (?P<value>.+) \(choose from (?P<choices>.+)\)": tr_mark(
        "invalid choice: {value} (choose from {choices})"
    ),
    "ambiguous option: (?P<value>.+) could match (?P<options>.+)": tr_mark(
        "ambiguous option: {value} could match {options}"
    ),
}
"""What argparse says of what was typed, as patterns, and the messages that say the same."""


def _told(problem: str) -> str:
    """What argparse has found, in the reader's language; what is not known of it stays as it is."""
    for pattern, message in WRONG.items():
        if found := re.fullmatch(pattern, problem, re.DOTALL):
            values = found.groupdict()
            if "problem" in values:
                values["problem"] = _told(values["problem"])
            return tr(message, **values)
    return problem


class Parser(argparse.ArgumentParser):
    """Like argparse's, in the reader's language, and what was typed does not reach the terminal as it is."""

    def __init__(self, *given: Any, **more: Any) -> None:
        """Take what argparse's takes."""
        super().__init__(*given, **more)
        self._positionals.title = tr("positional arguments")
        self._optionals.title = tr("options")
        for action in self._actions:
            if "--help" in action.option_strings:
                action.help = tr("show this help message and exit")

    def _get_formatter(self) -> argparse.HelpFormatter:
        made = super()._get_formatter()
        usual, before = made.add_usage, tr("usage:") + " "

        def add_usage(usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
            usual(usage, actions, groups, before if prefix is None else prefix)

        made.add_usage = add_usage  # type: ignore[method-assign]
        return made

    def error(self, message: str) -> NoReturn:
        """End the process with what is wrong with what was typed."""
        self.print_usage(sys.stderr)
        said = tr("{program}: error: {message}", program=self.prog, message=_told(message))
        self.exit(WRONG_USAGE, f"{said}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message), file)


COMMANDS = (
    Command(
        "dataset",
        tr_mark("show and choose how a folder is read"),
        lambda: tr(dataset.EXAMPLES),
        dataset.add,
        dataset.dataset,
    ),
    Command(
        "train",
        tr_mark("train a model as a recipe says"),
        lambda: tr(train.EXAMPLES),
        train.add,
        train.train,
    ),
    Command(
        "predict",
        tr_mark("classify photos with a run's model"),
        lambda: tr(predict.EXAMPLES),
        predict.add,
        predict.predict,
        writes=False,
    ),
    Command(
        "evaluate",
        tr_mark("test a run's model on labelled photos from elsewhere"),
        lambda: tr(evaluate.EXAMPLES),
        evaluate.add,
        evaluate.evaluate,
    ),
    Command(
        "check-labels",
        tr_mark("find labels of a dataset that are probably wrong"),
        lambda: tr(check_labels.EXAMPLES),
        check_labels.add,
        check_labels.check_labels,
    ),
    Command("export", tr_mark("convert a run's model for other programs"), export.examples, export.add, export.export),
    Command(
        "runs",
        tr_mark("list, show, delete, export and import runs"),
        lambda: tr(runs.EXAMPLES),
        runs.add,
        runs.list_all,
        writes=False,
    ),
)


def parser() -> argparse.ArgumentParser:
    """What can be typed, explained in the reader's language."""
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=tr("give the result as JSON"))
    _add_language(common)
    found = Parser("unfreeze", description=tr(ABOUT), epilog=tr(CODES))
    _add_language(found)
    kinds = found.add_subparsers(title=tr("commands"), metavar="COMMAND", required=True)
    for command in COMMANDS:
        summary = tr(command.summary)
        inner = kinds.add_parser(
            command.name,
            help=summary,
            description=summary,
            epilog=command.examples(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
        )
        inner.set_defaults(run=command.run, writes=command.writes)
        command.add(inner, common)
    return found


def _add_language(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lang",
        type=_language,
        default=argparse.SUPPRESS,
        metavar="CODE",
        help=tr("language of texts: {codes} (default: that of the terminal)", codes=", ".join(languages())),
    )


def _language(text: str) -> str:
    code = matching(text)
    if code == ENGLISH and not text.strip().lower().startswith(ENGLISH):
        raise argparse.ArgumentTypeError(
            tr("{text} is none of the languages {codes}", text=repr(text[:80]), codes=", ".join(languages()))
        )
    return code


def language_of(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language that was asked for with `--lang`, else that of the terminal, else English; one of `languages()`.

    Of the environment the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that says anything counts, as for other programs.
    """
    asked = ""
    for text, after in zip(arguments, (*arguments[1:], ""), strict=False):
        if text == "--":
            break
        if text == "--lang":
            asked = after
        elif text.startswith("--lang="):
            asked = text.removeprefix("--lang=")
    return matching(asked or next((said for name in VARIABLES if (said := environment.get(name))), None))


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was typed; returns what the process is to return."""
    allow_interrupts()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of another alphabet is no reason to fail
    typed = sys.argv[1:] if arguments is None else arguments
    code = language_of(typed, os.environ)
    find_by(lambda: code)  # for threads
    with reading(code):
        return _carry_out(typed)


def _carry_out(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    output = Output(getattr(options, "json", False))
    if empty := _empty(options):
        output.fail(
            tr(
                "The argument {name} is empty. Give a value, or leave it out. “--help” says what is expected.",
                name=empty,
            )
        )
        return WRONG_USAGE
    try:
        settings = settings_from()
        if options.writes:
            make_home(settings)
        code: int = options.run(options, settings, output)
        return code
    except UnfreezeError as error:
        output.fail(str(error))
        return FAILED
    except KeyboardInterrupt:
        output.say(tr("Interrupted. Nothing was left half done."))
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the result has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        output.fail(_no_room(error) if error.errno in FULL else _not_permitted(error))
        return FAILED


def _no_room(error: OSError) -> str:
    return tr(
        "{file} cannot be read or written ({reason}). Free some space, or set UNFREEZE_HOME to a folder that may be"
        " written to.",
        file=_file_of(error),
        reason=str(error.strerror or error),
    )


def _not_permitted(error: OSError) -> str:
    return tr(
        "{file} cannot be read or written ({reason}). Set UNFREEZE_HOME to a folder that may be written to.",
        file=_file_of(error),
        reason=str(error.strerror or error),
    )


def _file_of(error: OSError) -> str:
    return str(error.filename) if error.filename else tr("A file")


def _empty(options: argparse.Namespace) -> str:
    """The name of an argument that was given without saying anything; an empty text where there is none."""
    given = ((name, each) for name, value in vars(options).items() for each in _texts(value))
    return next((name for name, text in given if not text.strip()), "")


def _texts(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []
