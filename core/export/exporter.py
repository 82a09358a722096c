"""Making one export and verifying it; needs TensorFlow."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.data.images import decode
from core.export import writers
from core.export.formats import ExportFormat
from core.export.isolated_check import run_isolated
from core.export.network import trained_network
from core.export.package import (
    one_of_each,
    parity_files,
    size_of,
    versions_of,
    write_package,
    zipped,
)
from core.export.parity import PairedPredictions, ParityReport, failures, warnings
from core.export.trial_photos import Trial, write_trial_photos
from core.inference.prediction import Predictor
from core.runs.messages import Message
from core.runs.store import Run
from core.settings import Settings

Progress = Callable[[Message, int, int], None]
"""Is told what is being done, and how many photos of how many are done."""


@dataclass
class Exporter:
    """Makes exports of one run, one after the other; what all of them need is prepared once.

    Attributes:
        run: The run.
        work: A folder of its own, which may be emptied.
        settings: What may be read.
        processes: The process that verifies an export, while there is one.
    """

    run: Run
    work: Path
    settings: Settings
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def clear(self) -> None:
        """Remove what was begun of an export; the photos to compare on stay, if they are all there."""
        for name in ("export", "alone", "home", *(() if "trial" in self.__dict__ else ("photos",))):
            shutil.rmtree(self.work / name, ignore_errors=True)
        for made in self.work.glob("*.zip"):
            made.unlink()

    def make(self, chosen: ExportFormat, file: Path, progress: Progress) -> ParityReport:
        """Write the ZIP file of a format, proven or not; the caller looks at the parity report.

        Raises:
            UnfreezeError: There is no model, no photo, or `predict.py` fails.
        """
        folder = self._empty("export")
        progress(Message("export-predicting"), 0, 0)
        trial, predictor, _ = self.trial, self.predictor, self.expected
        progress(Message("export-converting"), 0, 0)
        getattr(writers, chosen.write)(trained_network(self.run), folder / chosen.model, trial.fitted)
        tested = [photo.file for photo in trial.photos[: len(trial.labels) or None]]
        samples = one_of_each(trial.labels, tested) if len(trial.labels) else tested
        write_package(folder, chosen, self.run, predictor, samples)
        zipped(folder, file)
        found = self.verify(chosen, file, progress)
        with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, text in parity_files(found).items():
                archive.writestr(f"{file.stem}/{name}", text)
        return found

    def verify(self, chosen: ExportFormat, file: Path, progress: Progress) -> ParityReport:
        """Unpack a ZIP file into an empty folder, run it alone, and compare its predictions with the run's."""
        alone, home = self._empty("alone"), self._empty("home")
        with zipfile.ZipFile(file) as archive:
            archive.extractall(alone)
        unpacked, count = alone / file.stem, len(self.trial.photos)
        given, milliseconds = run_isolated(
            unpacked,
            self.trial.folder,
            home,
            lambda done: progress(Message("export-verifying"), done, count),
            self.processes.append,
        )
        pairs = PairedPredictions(self.expected, given, self.trial.labels)
        return ParityReport(
            format=chosen.key,
            precision=chosen.precision.name,
            run=self.run.id,
            made=datetime.now(UTC).isoformat(timespec="seconds"),
            photos=count,
            kinds=self.trial.kinds(),
            tested=len(self.trial.labels),
            max_difference=pairs.max_difference,
            mean_difference=pairs.mean_difference,
            equal_top1=pairs.equal_top1,
            accuracy=pairs.accuracy(given),
            run_accuracy=pairs.accuracy(self.expected),
            milliseconds=float(np.median(milliseconds)),
            bytes=size_of(unpacked / chosen.model),
            versions=versions_of(chosen),
            failures=failures(pairs, chosen.precision),
            warnings=warnings(pairs, chosen.precision),
        )

    @cached_property
    def predictor(self) -> Predictor:
        """The run's own model."""
        return Predictor(self.run)

    @cached_property
    def trial(self) -> Trial:
        """The photos that every export is tried on."""
        return write_trial_photos(self.run, self.predictor.resolution, self._empty("photos"), self.settings)

    @cached_property
    def expected(self) -> NDArray[np.float32]:
        """The run's own probabilities for them, (N, K)."""
        limit = self.settings.limits.pixels
        photos = (decode(photo.file, self.predictor.resolution, limit) for photo in self.trial.photos)
        return np.concatenate([self.predictor.predict([photo]).probabilities for photo in photos])

    def _empty(self, name: str) -> Path:
        folder = self.work / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder
