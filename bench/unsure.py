"""How many photos of another kind a model's out-of-distribution detector flags, and how many of its own by mistake.

    uv run python -m bench.unsure HOME RUN FOLDER [RUN FOLDER …]

HOME is an `UNFREEZE_HOME`, RUN the id of a finished run there, FOLDER holds photos of another kind. False alarms are
counted on the run's test photos, which had no part in the threshold. Prints a Markdown table. The OOD score was chosen
on flowers and hot dogs, so these two are no independent evidence; with 1 to 10 neighbours in place of 5, flowers shown
to the hot dog model are flagged in 82 to 85 %.
"""

import argparse
from pathlib import Path

import numpy as np

from core.data.subsets import TEST
from core.evaluation.metrics import accuracy_interval
from core.inference.batch import BatchJob
from core.inference.out_of_distribution import OutOfDistributionDetector, are_out_of_distribution
from core.inference.prediction import Predictor
from core.inference.sources import in_folder
from core.recipe.run_recipe import read_recipe
from core.runs.embeddings import read_embeddings
from core.runs.store import Run, RunStore
from core.settings import Limits

HEAD = (
    "| model trained on | shown | photos | flagged | its own test photos | false alarms (95 % interval) |\n"
    + "|---" * 6
    + "|"
)


def row(run: Run, folder: Path) -> str:
    """One line of the table."""
    known = read_embeddings(run)
    detector = OutOfDistributionDetector.fit(known)
    job = BatchJob(Predictor(run), run.serving_folder, Limits().pixels)
    job.add(lambda stop: in_folder(folder, [folder], Limits(), stop))
    while not job.wait(60):
        pass
    flagged = are_out_of_distribution(detector.ood_scores(job.batch().embedding))
    alarms = are_out_of_distribution(detector.ood_scores(known.of(TEST).embedding))
    low, high = accuracy_interval(int(alarms.sum()), len(alarms))
    trained_on = Path(read_recipe(run).dataset).name
    return (
        f"| {trained_on} | {folder.name} | {len(flagged):,} | {np.mean(flagged):.1%} | {len(alarms):,}"
        f" | {np.mean(alarms):.1%} ({low:.1%} to {high:.1%}) |"
    )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("pairs", nargs="+", metavar="RUN FOLDER")
    chosen = parser.parse_args()
    if len(chosen.pairs) % 2:
        parser.error("give a folder for each run")
    store = RunStore(chosen.home.resolve() / "runs")
    print(HEAD)
    for name, folder in zip(chosen.pairs[::2], chosen.pairs[1::2], strict=True):
        print(row(store.get(name), Path(folder).resolve()))


if __name__ == "__main__":
    main()
