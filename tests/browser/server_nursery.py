"""The app's server, loaded once and forked for each test: what it loads before it answers takes seconds of CPU time.

Reads a line of JSON for each server that is wanted, `{"environment": {…}, "arguments": […]}`, and answers with its
process id. All that it has forked ends with it, and it ends with its input.
"""

import json
import os
import runpy
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tests.conftest import PROJECT


def load() -> None:
    """Import what `python app.py` imports, and what its pages do."""
    sys.path[0] = str(PROJECT)
    for folder in sorted(PROJECT.joinpath("pages", "components").rglob("*.py")):
        import_module(".".join(folder.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"))


def serve(order: Mapping[str, Any]) -> None:
    """Be `python app.py` from here on, as if it had been started with this environment and these arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nothing, number)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["app.py", *order["arguments"]]
    try:
        runpy.run_path("app.py", run_name="__main__")
    finally:
        os._exit(1)


def main() -> None:
    """Fork a server for each order."""
    load()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for what has ended
    for line in sys.stdin:
        child = os.fork()
        if not child:
            serve(json.loads(line))
        print(child, flush=True)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
