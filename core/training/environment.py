"""What a run was made with: versions and hardware."""

import os
import platform
from importlib.metadata import version
from typing import Any

import tensorflow as tf

PACKAGES = ("keras", "numpy", "openvino", "pillow")


def describe_environment() -> dict[str, Any]:
    """Versions and hardware, as plain JSON values."""
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        **{name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
    }
