"""`unfreeze export`: a model for other programs, or a whole run for another installation."""

import argparse
import shutil
import textwrap
import time
from pathlib import Path

from command_line.files import target_of, writing
from command_line.found import run_called
from command_line.output import Output
from command_line.runs import RUN_HELP, write_run
from core.errors import ExportError
from core.export.formats import FORMATS, ExportFormat, export_format
from core.export.jobs import FAILED, PROVEN, UNDER_WAY, cancel, read_exports, request, zip_file
from core.export.parity import ParityReport
from core.language import number, sentences, tr, tr_mark, tr_plural
from core.runs.messages import text_of
from core.runs.store import Run
from core.settings import Settings

LOOK_SECONDS = 0.3

WHOLE_RUN = "run"
"""The format that is no model: everything that is known of the run."""

WIDTH = 100


def _about(key: str, words: str) -> str:
    return textwrap.fill(words, WIDTH, initial_indent=f"  {key:<13} ", subsequent_indent=" " * 16)


def examples() -> str:
    """The formats, and what can be typed."""
    everything = tr("Everything about the run, for “unfreeze runs import” on another computer.")
    formats = [
        tr("formats:"),
        *(_about(row.key, sentences(tr("{name}.", name=row.name), tr(row.purpose))) for row in FORMATS),
        _about(WHOLE_RUN, everything),
    ]
    return "\n".join([*formats, "", tr(EXAMPLES)])


EXAMPLES = tr_mark("""examples:
  unfreeze export latest onnx
  unfreeze export 1f3a litert-int8 -o small.zip

Each model comes with a certificate: how closely its predictions match those of the run. A model that falls
short is not written.""")


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    """Say what can be asked for."""
    parser.add_argument("which", metavar="RUN", help=tr(RUN_HELP))
    parser.add_argument(
        "format", metavar="FORMAT", choices=[*(row.key for row in FORMATS), WHOLE_RUN], help=tr("see “formats” below")
    )
    parser.add_argument("-o", "--output", metavar="FILE", help=tr("where to write it (default: a ZIP file here)"))


def export(options: argparse.Namespace, settings: Settings, output: Output) -> int:
    """Export a run's model, once it is proven."""
    run = run_called(options.which, settings)
    if options.format == WHOLE_RUN:
        return write_run(run, options.output, output)
    chosen = export_format(options.format)
    target = target_of(options.output, f"{run.id}-{chosen.key}.zip")
    parity = _proven(run, chosen, output)
    with writing(target) as file, zip_file(run, chosen).open("rb") as made:
        shutil.copyfileobj(made, file)
    values = {"run": run.id, "format": chosen.key, "file": str(target.resolve()), "bytes": target.stat().st_size}
    output.result({**values, "certificate": parity.to_values()}, _as_text(target, parity))
    return 0


def _proven(run: Run, chosen: ExportFormat, output: Output) -> ParityReport:
    """The parity report of an export, which is made unless it is there; raises `ExportError` where it falls short."""
    if read_exports(run)[chosen.key].state != PROVEN:
        request(run, [chosen])
    try:
        while (found := read_exports(run)[chosen.key]).state in UNDER_WAY:
            share = found.done / found.total if found.total else None
            compared = tr("{done} of {total} photos compared", done=found.done, total=found.total)
            output.progress(text_of(found.stage) or tr("Queued"), share, compared)
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        cancel(run, chosen)
        raise
    if found.state == PROVEN and found.parity is not None:
        return found.parity
    why = found.error if found.state == FAILED else tr("it was cancelled")
    raise ExportError(tr("{format} was not exported: {reason}", format=chosen.name, reason=why))


def _as_text(target: Path, found: ParityReport) -> str:
    warnings = [tr("Note: {warning}", warning=warning) for warning in found.warnings]
    proof = tr_plural(
        "Verified on {count} photo: the same class on {share}, probabilities differ by at most {difference},"
        " {milliseconds} ms per photo.",
        "Verified on {count} photos: the same class on {share}, probabilities differ by at most {difference},"
        " {milliseconds} ms per photo.",
        found.photos,
        share=f"{found.equal_top1:.1%}",
        difference=f"{found.max_difference:.1e}",
        milliseconds=number(found.milliseconds),
    )
    size = number(target.stat().st_size / 1e6, 1)
    return "\n".join([tr("{file} ({size} MB)", file=str(target), size=size), proof, *warnings])
