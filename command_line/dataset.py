"""`unfreeze dataset`: how a folder is read as a dataset, and what is to be said of it."""

import argparse
import shlex
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from command_line.found import dataset_in
from command_line.output import Output
from core.data import summary
from core.data.dataset import Dataset
from core.data.review import RELABEL, Decision, Review, ReviewStore
from core.data.scan.folder import check_inside
from core.data.scan.layout import FIRST, INNERMOST, PARTS, TOP, Layout
from core.data.scan.layout_choices import LayoutChoice, layout_of_table
from core.data.scan.walk import Walk
from core.data.subsets import SUBSETS
from core.errors import DataError, UndecidedLayout
from core.language import sentences, tr, tr_mark
from core.settings import Settings

AUTOMATIC = "auto"
BY_FOLDERS = {AUTOMATIC: FIRST, TOP: TOP, PARTS: PARTS, INNERMOST: INNERMOST}

EXAMPLES = tr_mark("""examples:
  unfreeze dataset ~/flowers                         how the folder is read, and what was noticed
  unfreeze dataset ~/flowers --labels parts          the folders at the top are parts, those inside them classes
  unfreeze dataset ~/flowers --labels top            the folders at the top are the classes
  unfreeze dataset ~/scans --labels labels.csv --file-column id --label-column breed
  unfreeze dataset ~/pets --join "dog =dog"          photos of the class “dog ” count as “dog”

What is chosen is kept, as on the page “Dataset”, and applies there and to all commands. Your files are never changed.\
""")


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("dataset", metavar="FOLDER", help=tr("a folder of photos"))
    parser.add_argument(
        "--labels",
        metavar="SOURCE",
        help=tr("where labels come from: {sources}, or the name of a table", sources=", ".join(BY_FOLDERS)),
    )
    parser.add_argument("--file-column", metavar="NAME", help=tr("the table's column of files"))
    parser.add_argument("--label-column", metavar="NAME", help=tr("the table's column of classes"))
    parser.add_argument("--split-column", metavar="NAME", help=tr("the table's column of subsets"))
    parser.add_argument("--encoding", metavar="NAME", help=tr("the table's encoding, for example gb18030"))
    parser.add_argument(
        "--join",
        action="append",
        default=[],
        metavar="CLASS=OTHER",
        help=tr("count photos of a class as another class"),
    )


def dataset(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Say how a folder is read, once what was asked for is kept; where that is uncertain, how it could be."""
    root = check_inside(options.dataset, settings.dataset_roots)
    store = ReviewStore(settings.reviews_folder)
    if options.labels is not None:
        layout = _layout(options, root, settings)
        store.change(root, lambda kept: replace(kept, layout=layout))
    try:
        found = dataset_in(root, settings, output)
    except UndecidedLayout as error:
        _ask(error, output)
        return 1
    for pair in options.join:
        decision = _joined(found, pair)
        store.change(root, partial(Review.with_decision, decision=decision))
        found = dataset_in(root, settings, output)
    output.result(_facts(found), _as_text(found))
    return 0


def _layout(options: argparse.Namespace, root: Path, settings: Settings) -> Layout:
    """The layout that was asked for; the columns of a table are guessed where they were not given."""
    if options.labels in BY_FOLDERS:
        return Layout(BY_FOLDERS[options.labels])
    paths = [file.path for file in Walk(root, settings.dataset_roots, settings.limits).files]
    likely = layout_of_table(root, options.labels, paths, options.encoding or "")
    given = {
        name: value for name in ("file_column", "label_column", "split_column") if (value := getattr(options, name))
    }
    return replace(likely, **given)


def _joined(found: Dataset, pair: str) -> Decision:
    """The decision that photos of a class count as another one; raises `DataError` where there are no such classes."""
    name, sign, other = pair.partition("=")
    names = found.folder.class_names
    if not sign or name not in names or other not in names or name == other:
        raise DataError(
            tr(
                "“{text}” must be two classes, as in “Cat=cat”; the classes are {classes}.",
                text=pair,
                classes=", ".join(names),
            )
        )
    positions = np.flatnonzero(found.folder.labels == names.index(name)).tolist()
    photos = {found.folder.paths[i]: found.digest(i) for i in positions}
    return Decision(RELABEL, photos, other, tr("Joined with another class"))


def _ask(error: UndecidedLayout, output: Output) -> None:
    """Say in which ways a folder could be read, each with its drawing and what to type for it."""
    values = {
        "error": str(error),
        "choices": [{"reads_as": choice.words, "choose_by": _option(choice)} for choice in error.choices],
    }
    lines = [str(error)]
    for choice in error.choices:
        lines += [
            "",
            f"{choice.words}:",
            _indented(choice.tree),
            *choice.notes,
            tr("choose it by: {option}", option=_option(choice)),
        ]
    output.result(values, "\n".join(lines))


def _option(choice: LayoutChoice) -> str:
    if choice.folder:
        return tr("the folder {folder} in place of this one", folder=choice.folder)
    return f"--labels {shlex.quote(choice.layout.table or choice.layout.label_by)}"


def _facts(found: Dataset) -> Mapping[str, Any]:
    folder = found.folder
    return {
        "dataset": str(folder.root),
        "reads_as": found.scan.reading.words,
        "classes": dict(zip(folder.class_names, folder.counts().tolist(), strict=True)),
        "own_split": {name: int((found.given == number).sum()) for number, name in enumerate(SUBSETS)},
        "split": summary.split_in_words(found),
        "notes": list(found.scan.reading.notes),
        "findings": {finding.kind.key: finding.count for finding in found.findings},
        "classes_to_join": summary.class_findings(found),
        "left_out": len(found.scan.files_left_out),
        "not_used": len(found.withheld),
    }


def _as_text(found: Dataset) -> str:
    scan = found.scan
    read = tr("{folder} is read as {reading}:", folder=str(scan.folder.root), reading=scan.reading.words)
    lines = [read, _indented(scan.reading.tree), *scan.reading.notes]
    if found.review.decisions:
        photos, classes = len(found.folder), len(found.folder.class_names)
        lines.append(tr("As decided, {photos} photos of {classes} classes count.", photos=photos, classes=classes))
    lines.append(summary.split_in_words(found))
    if scan.files_left_out:
        first = scan.files_left_out[0]
        count = len(scan.files_left_out)
        lines.append(tr("{count} left out, first {file}: {reason}.", count=count, file=first.path, reason=first.reason))
    lines += [tr("{sentence}.", sentence=rows) for rows in [summary.rows_without_photo(found)] if rows]
    lines += [
        sentences(tr("{what}: {count}.", what=each.kind.title, count=each.count), each.kind.done)
        for each in found.findings
    ]
    lines += summary.class_findings(found)
    if not (found.findings or found.withheld or scan.left_out):
        lines.append(tr("Every file can be used, and no problems were found."))
    return "\n".join(lines)


def _indented(tree: str) -> str:
    return "\n".join(f"  {line}" for line in tree.splitlines())
