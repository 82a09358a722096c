"""Processor time that the server takes while somebody watches a run, in Chromium, on the real app.

    uv run python -m bench.run_page [--photos 3000] [--seconds 30]

Writes that many small photos, and plays a trainer that reports as a quick one does: a line every 0.4 s, a validation
every 2 s, with its predictions. It computes nothing, so the processor is the server's and the browser's. Prints the
share of a core that the server takes with no page open, with the page of the run, and with its folded curves open.
"""

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import expect, sync_playwright

from bench.intake import write_small
from core.data.scan.folder import scan
from core.data.split import assign_subsets
from core.evaluation.run_results import photos_of
from core.models.backbones import backbone
from core.recipe.plan import phases_of
from core.recipe.recipe import Recipe
from core.runs.messages import NO_MESSAGE
from core.runs.prediction_history import write_predictions
from core.runs.store import Run
from core.training.launch import create_run
from core.training.recorder import Recorder
from tests.browser.conftest import CHROMIUM, FLAGS, Screen, Server, free_port
from tests.conftest import Workplace

STEPS, STEP_SECONDS = 5, 0.42
FOLDED = "Loss, learning rate and speed"


def play(run: Run, recipe: Recipe, classes: int, over: threading.Event) -> None:
    """Report like a trainer until it is over."""
    random = np.random.default_rng(0)
    labels = photos_of(run, "validation")[1]
    recorder = Recorder(run)
    phases = phases_of(recipe, backbone(recipe.backbone))
    with run.held():
        recorder.plan(phases, STEPS, recipe.batch_size)
        recorder.begin_phase(phases[0], NO_MESSAGE)
        for epoch in range(phases[0].epochs):
            recorder.begin_epoch(epoch)
            for step in range(1, STEPS + 1):
                recorder.begin_step()
                if over.wait(STEP_SECONDS):
                    return
                recorder.end_step(epoch, step, 2 / (1 + epoch), 1 - 0.5 / (1 + epoch), 0.01)
            sure = random.random(len(labels)).astype(np.float32)
            wrong = random.random(len(labels)) < 0.3
            answers = np.where(wrong, random.integers(0, classes, len(labels)), labels)
            write_predictions(run, recorder.validations + 1, np.stack([answers, sure, sure], axis=1))
            recorder.end_validation(epoch, STEPS, 2 / (1 + epoch), 0.7, 0.1, 0.01, 0)


def share_of_core(pid: int, seconds: float) -> float:
    """The share of a core that a process takes over so many seconds."""

    def spent() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    before = spent()
    time.sleep(seconds)
    return (spent() - before) / seconds


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=30)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as base, sync_playwright() as playwright:
        place = Workplace(Path(base) / "home", Path(base) / "photos" / "many")
        write_small(place.colours, chosen.photos)
        folder = scan(place.colours, roots=[place.colours]).folder
        recipe = Recipe(str(place.colours), "efficientnet-lite0", unfreeze_point="block6", head_epochs=1000)
        run = create_run(place.store, recipe, folder, assign_subsets(folder.labels, seed=0))
        over = threading.Event()
        trainer = threading.Thread(target=play, args=(run, recipe, len(folder.class_names), over), daemon=True)
        trainer.start()
        server = Server(place, free_port(), afresh=True)
        server.start()
        try:
            print(f"no page: {share_of_core(server.pid, 5):.1%} of a core")
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
            screen = Screen(server, browser.new_context().new_page())
            screen.open(f"/train?run={run.id}")
            expect(screen.page.get_by_test_id("stVegaLiteChart").first).to_be_visible()
            time.sleep(10)
            print(f"the page of the run: {share_of_core(server.pid, chosen.seconds):.1%} of a core")
            if screen.page.get_by_text(FOLDED).count():
                screen.page.get_by_text(FOLDED).click()
                time.sleep(3)
                print(f"with its curves open: {share_of_core(server.pid, chosen.seconds):.1%} of a core")
            browser.close()
        finally:
            server.kill()
            over.set()
            trainer.join()


if __name__ == "__main__":
    main()
