import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import PATIENCE, PROJECT, Workplace

IMPATIENT = """
from core.settings import settings_from
from core.training.process.warm_trainer import run_warm_trainer

run_warm_trainer(settings_from(), idle_seconds=0.1)
"""
"""A warm trainer that waits a tenth of a second for each order."""


@contextmanager
def warm_trainer(place: Workplace, *command: str, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that takes orders on its standard input; it does not outlive the block."""
    child = subprocess.Popen(
        [sys.executable, *command],
        bufsize=0,
        cwd=PROJECT,
        env=place.environment(**variables),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with child:
        yield child
        child.kill()


def test_a_warm_trainer_ends_with_its_input_before_keras_is_loaded(workplace: Workplace, tmp_path: Path) -> None:
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text("import time\n\ntime.sleep(3600)\n")
    for orders in (b"", b'{"prepare": {"backbone": "baseline-cnn"}}\n', b'{"run": "/now'):
        with warm_trainer(workplace, "-m", "core.training", "--wait", PYTHONPATH=str(tmp_path)) as child:
            _, errors = child.communicate(orders, timeout=PATIENCE)
        assert child.returncode == 0, errors


def test_what_cannot_be_prepared_is_forgotten_and_a_trainer_without_orders_ends(workplace: Workplace) -> None:
    with warm_trainer(workplace, "-c", IMPATIENT) as child:
        assert child.stdin is not None and child.stderr is not None
        child.stdin.write(json.dumps({"prepare": {"backbone": "no-such-network"}}).encode() + b"\n")
        assert child.wait(PATIENCE) == 0
        assert b"Traceback" not in child.stderr.read()
