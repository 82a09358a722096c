"""`unfreeze runs`: list, show, delete, export and import."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from command_line.files import opened, path_named, target_of, writing
from command_line.found import facts_of, name_of, run_called, status_of
from command_line.output import Output, listing, percent_or_dash, table
from core.errors import RunError
from core.formatting import duration
from core.language import number, retold, sentences, tr, tr_mark
from core.recipe.run_recipe import read_recipe
from core.runs.messages import text_of
from core.runs.store import Run, RunStore, Status, state_in_words
from core.settings import Settings
from core.training.transfer.run_export import export_run, file_name
from core.training.transfer.run_import import import_run

EXAMPLES = tr_mark("""examples:
  unfreeze runs                         every run, newest first
  unfreeze runs show latest
  unfreeze runs export 1f3a -o run.zip  one run as a file, for another computer
  unfreeze runs import run.zip
  unfreeze runs delete 1f3a --yes       without being asked""")

RUN_HELP = tr_mark("its id, the end of it, its name, or “latest”")


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    kinds = parser.add_subparsers(title=tr("what to do"), metavar="ACTION")
    for action in ACTIONS:
        summary = tr(action.summary)
        inner = kinds.add_parser(action.name, help=summary, description=summary, parents=[common])
        action.add(inner)
        inner.set_defaults(run=action.run)


def list_all(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """List every run, newest first."""
    found = [(run, status) for run in RunStore(settings.runs_folder).runs() if (status := status_of(run))]
    rows = [_row(run, status) for run, status in found]
    text = table(rows) if rows else tr("There are no runs yet. “unfreeze train --help” says how to start one.")
    output.result([facts_of(run, status) for run, status in found], text)
    return 0


def show(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Show one run with its recipe."""
    run = run_called(options.which, settings)
    status, recipe = run.read_status(), asdict(read_recipe(run))
    shown = _row(run, status)
    shown[tr("folder")], shown[tr("message")] = str(run.folder), text_of(status.message)
    shown[tr("error")] = retold(status.error)
    choices = {name.replace("_", " "): json.dumps(value) for name, value in recipe.items()}
    known = {name: value for name, value in shown.items() if value}
    text = "\n".join((listing(known), "", tr("Recipe"), listing(choices)))
    output.result({**facts_of(run, status), "recipe": recipe}, text)
    return 0


def delete(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Delete a run for good, if a person at a terminal says yes to it, or `--yes` does."""
    run = run_called(options.which, settings)
    name = name_of(run)
    if not options.yes and not output.confirms(tr("Delete the run {run} ({name}) for good?", run=run.id, name=name)):
        raise RunError(
            tr(
                "The run {run} ({name}) was not deleted. Deleting it needs a yes at a terminal, or --yes.",
                run=run.id,
                name=name,
            )
        )
    RunStore(settings.runs_folder).delete(run.id)
    output.result({"deleted": run.id}, tr("The run {run} ({name}) is deleted.", run=run.id, name=name))
    return 0


def export(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Write a run into a file."""
    return write_run(run_called(options.which, settings), options.output, output)


def write_run(run: Run, named: str | None, output: Output) -> int:
    """Write all that is known of a run into a file, of the name that a person has given, if one has."""
    target = target_of(named, file_name(run))
    with output.showing(tr("Packing")) as counting, writing(target) as file:
        export_run(run, file, counting)
    size = target.stat().st_size
    values = {"run": run.id, "file": str(target.resolve()), "bytes": size}
    megabytes = number(size / 1e6, 1)
    output.result(
        values, tr("{file} ({size} MB) contains the run {run}.", file=str(target), size=megabytes, run=run.id)
    )
    return 0


def bring_in(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Take in a run from a file."""
    photos = path_named(options.dataset) if options.dataset else None
    with opened(path_named(options.file)) as archive:
        came = import_run(archive, settings, photos, output.progress)
    values = {"run": came.run.id, "former_id": came.former_id, "has_model": came.has_model}
    photos_at = str(came.photos) if came.photos else None
    imported = tr("Imported as {run}.", run=came.run.id)
    output.result({**values, "photos": photos_at}, sentences(imported, came.sentence))
    return 0


def _row(run: Run, status: Status) -> dict[str, str]:
    return {
        tr("id"): run.id,
        tr("state"): state_in_words(status.state),
        tr("test"): percent_or_dash(status.test_accuracy),
        tr("validation"): percent_or_dash(status.best_val_accuracy),
        tr("took"): duration(status.seconds(time.time())),
        tr("name"): name_of(run),
    }


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="RUN", help=tr(RUN_HELP))


def _delete_options(parser: argparse.ArgumentParser) -> None:
    _which(parser)
    parser.add_argument("-y", "--yes", action="store_true", help=tr("do not ask"))


def _export_options(parser: argparse.ArgumentParser) -> None:
    _which(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help=tr("where to write it (default: unfreeze-run-ID.zip here)")
    )


def _import_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help=tr("made by “unfreeze runs export”, or by the page"))
    parser.add_argument("--dataset", metavar="FOLDER", help=tr("where its photos are on this computer"))


@dataclass(frozen=True)
class Action:
    """Something that can be done with runs."""

    name: str
    summary: str
    add: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Settings, Output], int]


ACTIONS = (
    Action("list", tr_mark("list every run, newest first"), lambda parser: None, list_all),
    Action("show", tr_mark("show one run with its recipe"), _which, show),
    Action("delete", tr_mark("delete a run for good"), _delete_options, delete),
    Action("export", tr_mark("write a run into a file, for another installation"), _export_options, export),
    Action("import", tr_mark("import a run from such a file; nothing in it is executed"), _import_options, bring_in),
)
