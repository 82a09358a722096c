"""The command `unfreeze`: which commands there are, and what they return."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from command_line import check_labels, dataset, evaluate, export, predict, runs, train
from command_line.output import INTERRUPTED, Output, printable
from core.errors import UnfreezeError
from core.files import FULL
from core.processes.children import allow_interrupts
from core.settings import Settings, make_home, settings_from

DONE, FAILED, WRONG_USAGE = 0, 1, 2
"""What the process returns; argparse itself ends it with 2."""

ABOUT = """Fine-tune image classifiers from a terminal. Runs, datasets and decisions are the same as in the browser
(uv run --no-dev app.py)."""

CODES = """Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted. Results go to standard output, everything
else to standard error. Folders are set by UNFREEZE_HOME, UNFREEZE_DATASETS and UNFREEZE_WEIGHTS.
"""


@dataclass(frozen=True)
class Command:
    """A row of the table of commands.

    Attributes:
        name: What is typed.
        summary: What it does, in a line.
        examples: Shown by its help.
        add: Adds its options; the second parser holds those that all commands have.
        run: Carries it out, and returns what the process returns.
        writes: Whether it needs a home that can be written to, whatever its options.
    """

    name: str
    summary: str
    examples: str
    add: Callable[[argparse.ArgumentParser, argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings, Output], int]
    writes: bool = True


class Parser(argparse.ArgumentParser):
    """Like argparse's, but what was typed does not reach the terminal as it is."""

    def _print_message(self, message: str, file: Any = None) -> None:
        super()._print_message(printable(message), file)


COMMANDS = (
    Command("dataset", "show and choose how a folder is read", dataset.EXAMPLES, dataset.add, dataset.dataset),
    Command("train", "train a model as a recipe says", train.EXAMPLES, train.add, train.train),
    Command(
        "predict", "classify photos with a run's model", predict.EXAMPLES, predict.add, predict.predict, writes=False
    ),
    Command(
        "evaluate",
        "test a run's model on labelled photos from elsewhere",
        evaluate.EXAMPLES,
        evaluate.add,
        evaluate.evaluate,
    ),
    Command(
        "check-labels",
        "find labels of a dataset that are probably wrong",
        check_labels.EXAMPLES,
        check_labels.add,
        check_labels.check_labels,
    ),
    Command("export", "convert a run's model for other programs", export.EXAMPLES, export.add, export.export),
    Command("runs", "list, show, delete, export and import runs", runs.EXAMPLES, runs.add, runs.list_all, writes=False),
)


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    common = Parser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="give the result as JSON")
    found = Parser("unfreeze", description=ABOUT, epilog=CODES)
    kinds = found.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        inner = kinds.add_parser(
            command.name,
            help=command.summary,
            description=command.summary,
            epilog=command.examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
        )
        inner.set_defaults(run=command.run, writes=command.writes)
        command.add(inner, common)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was typed; returns what the process is to return."""
    allow_interrupts()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of another alphabet is no reason to fail
    options = parser().parse_args(arguments)
    output = Output(getattr(options, "json", False))
    if empty := _empty(options):
        output.fail(f"The argument {empty} is empty. Give a value, or leave it out. “--help” says what is expected.")
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
        output.say("Interrupted. Nothing was left half done.")
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the result has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        mend = "Free some space, or set" if error.errno in FULL else "Set"
        output.fail(
            f"{error.filename or 'A file'} cannot be read or written ({error.strerror or error}). {mend} UNFREEZE_HOME"
            " to a folder that may be written to."
        )
        return FAILED


def _empty(options: argparse.Namespace) -> str:
    """The name of an argument that was given without saying anything; an empty text where there is none."""
    given = ((name, each) for name, value in vars(options).items() for each in _texts(value))
    return next((name for name, text in given if not text.strip()), "")


def _texts(value: Any) -> Sequence[str]:
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []
