"""The table of formats that a model can be exported in.

Plain literals: nothing here imports TensorFlow, so pages may read the table. What writes a format is named as a string.
"""

from dataclasses import dataclass
from importlib.util import find_spec

from core.errors import ExportError
from core.language import tr, tr_mark


@dataclass(frozen=True)
class Precision:
    """How close an exported model must be to the run's own to be offered.

    Attributes:
        name: "fp32", "fp16" or "int8".
        most_difference: By how much a probability may differ at most, on any photo; None for no limit.
        least_equal: Share of photos, 0 to 1, on which the predicted class must at least be the same.
        worrying_loss: From how many points of accuracy lost a warning is given; None for never.
        most_loss: Most points of accuracy that may be lost; None for no limit of its own.
    """

    name: str
    most_difference: float | None = None
    least_equal: float = 0.0
    worrying_loss: float | None = None
    most_loss: float | None = None


FP32 = Precision("fp32", most_difference=1e-3, least_equal=1.0)
FP16 = Precision("fp16", most_difference=1e-2)
INT8 = Precision("int8", least_equal=0.8, worrying_loss=2.0, most_loss=10.0)


@dataclass(frozen=True)
class ExportFormat:
    """One row of the table.

    Attributes:
        key: Short stable name, also of files.
        title: Name for people, in English; `name` is in the reader's language.
        meant_for: What it is for, in plain English; `purpose` is in the reader's language.
        model: Name of the model's file or folder in the ZIP file.
        write: Name of the function in `core.export.writers` that writes it.
        loader: Key of `core.export.predict_script.LOADERS`: how `predict.py` runs it.
        requirements: What `predict.py` needs besides NumPy and Pillow: lines of requirements.txt without a version, the
            package's name first.
        precision: How exact it is.
        needs: Modules that show whether the packages are installed that writing and verifying need.
        extra: The optional dependency of Unfreeze that installs them; empty where the default install has all.
    """

    key: str
    title: str
    meant_for: str
    model: str
    write: str
    loader: str
    requirements: tuple[str, ...]
    precision: Precision
    needs: tuple[str, ...] = ()
    extra: str = ""

    @property
    def name(self) -> str:
        """Name for people."""
        return tr(self.title)

    @property
    def purpose(self) -> str:
        """What it is for."""
        return tr(self.meant_for)

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules that it needs and that are not installed."""
        return tuple(module for module in self.needs if find_spec(module) is None)

    @property
    def install(self) -> str:
        """The command that starts Unfreeze with what is missing."""
        return f"uv run --no-dev --extra {self.extra} app.py"


_TENSORFLOW = (
    'tensorflow-cpu; sys_platform == "linux" and platform_machine == "x86_64"',
    'tensorflow; sys_platform != "linux" or platform_machine != "x86_64"',
)

FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        key="openvino",
        title="OpenVINO",
        meant_for=tr_mark(
            "For ordinary computers without TensorFlow: small to install, and fast on Intel and AMD processors."
        ),
        model="model.xml",
        write="openvino",
        loader="openvino",
        requirements=("openvino",),
        precision=FP32,
    ),
    ExportFormat(
        key="onnx",
        title="ONNX",
        meant_for=tr_mark("For programs in many languages, such as C#, Java, JavaScript or Python without TensorFlow."),
        model="model.onnx",
        write="onnx",
        loader="onnx",
        requirements=("onnxruntime",),
        precision=FP32,
        needs=("tf2onnx", "onnx", "onnxruntime"),
        extra="onnx",
    ),
    ExportFormat(
        key="litert",
        title="LiteRT",
        meant_for=tr_mark(
            "For apps on phones, and for small computers such as a Raspberry Pi; in full precision (fp32)."
        ),
        model="model.tflite",
        write="litert",
        loader="litert",
        requirements=("ai-edge-litert",),
        precision=FP32,
    ),
    ExportFormat(
        key="litert-fp16",
        title=tr_mark("LiteRT, half size"),
        meant_for=tr_mark(
            "For phones: half the size of LiteRT, in half precision (fp16), with nearly the same predictions."
        ),
        model="model.tflite",
        write="litert_half",
        loader="litert",
        requirements=("ai-edge-litert",),
        precision=FP16,
    ),
    ExportFormat(
        key="litert-int8",
        title=tr_mark("LiteRT, quarter size"),
        meant_for=tr_mark(
            "For slow phones and microcontrollers: a quarter of the size, in 8-bit integers (int8). It loses some"
            " accuracy: check how much."
        ),
        model="model.tflite",
        write="litert_int8",
        loader="litert",
        requirements=("ai-edge-litert",),
        precision=INT8,
    ),
    ExportFormat(
        key="keras",
        title="Keras",
        meant_for=tr_mark("For programming in Keras, and for training the model further."),
        model="model.keras",
        write="keras_file",
        loader="keras",
        requirements=("keras", *_TENSORFLOW),
        precision=FP32,
    ),
    ExportFormat(
        key="savedmodel",
        title="TensorFlow SavedModel",
        meant_for=tr_mark("For servers: TensorFlow Serving, and other TensorFlow tools."),
        model="saved_model",
        write="saved_model",
        loader="saved_model",
        requirements=_TENSORFLOW,
        precision=FP32,
    ),
)


def export_format(key: str) -> ExportFormat:
    """Return the row with this key; raises `ExportError` where there is none."""
    for row in FORMATS:
        if row.key == key:
            return row
    raise ExportError(
        tr(
            "There is no format {key}; choose one of: {known}.",
            key=repr(key),
            known=", ".join(row.key for row in FORMATS),
        )
    )
