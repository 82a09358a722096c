"""The command `unfreeze`: which commands there are, and what they return."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from command_line import check_labels, export, predict, runs, train
from command_line.output import INTERRUPTED, Output
from core.errors import UnfreezeError
from core.processes.children import allow_interrupts
from core.settings import Settings, settings_from

DONE, FAILED = 0, 1
"""What the process returns; 2 is for what is no command, as argparse has it."""

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
    """

    name: str
    summary: str
    examples: str
    add: Callable[[argparse.ArgumentParser, argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings, Output], int]


COMMANDS = (
    Command("train", "train a model as a recipe says", train.EXAMPLES, train.add, train.train),
    Command("predict", "classify photos with a run's model", predict.EXAMPLES, predict.add, predict.predict),
    Command(
        "check-labels",
        "find labels of a dataset that are probably wrong",
        check_labels.EXAMPLES,
        check_labels.add,
        check_labels.check_labels,
    ),
    Command("export", "convert a run's model for other programs", export.EXAMPLES, export.add, export.export),
    Command("runs", "list, show, delete, export and import runs", runs.EXAMPLES, runs.add, runs.list_all),
)


def parser() -> argparse.ArgumentParser:
    """What can be typed."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="give the result as JSON")
    found = argparse.ArgumentParser("unfreeze", description=ABOUT, epilog=CODES)
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
        inner.set_defaults(run=command.run)
        command.add(inner, common)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out what was typed; returns what the process is to return."""
    allow_interrupts()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal of another alphabet is no reason to fail
    options = parser().parse_args(arguments)
    output = Output(getattr(options, "json", False))
    try:
        code: int = options.run(options, settings_from(), output)
        sys.stdout.flush()
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
