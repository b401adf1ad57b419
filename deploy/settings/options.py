"""The options that verbs share, each declared once: its name, type, help, default, key and example.

A verb takes them in its signature (``npu: options.Npu``). What only one verb takes is declared in that verb's
file; every one of them can be kept in the verb's table of ``deploy.toml``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from deploy.data import FORMS
from deploy.hardware.npus import listed
from deploy.settings.declared import Declared, NamesPath, Shared, Writes, argument, declaration, option


def _network(text: str) -> bool:
    return text.startswith("models:")


MODEL = Shared("model", example="model.keras")
MODEL_PATH = NamesPath(lambda text: not _network(text))
Model = Annotated[
    str | None,
    argument(help=".tflite, .keras, .h5, SavedModel, FILE.py:function, or models:NAME."),
    MODEL,
    MODEL_PATH,
]
SET = Shared("set", example=["size=96"], belongs_to="model")
Set = Annotated[
    list[str] | None,
    option(
        "--set",
        metavar="KEY=VALUE",
        help="An option of the network that models:NAME or FILE.py:function builds, e.g. size=96; repeatable.",
    ),
    SET,
]
Signature = Annotated[
    str | None,
    option(help="Of several signatures in a .tflite, the one to take; default: serving_default, or the only."),
    Shared("signature", example="serving_default", belongs_to="model"),
]
SCALED = "Images are scaled to the range that the model takes; --image-range sets it."
CALIBRATION = Shared(
    "calibration",
    example="calibration.npz",
    belongs_to="model",
    belongs_if=_network,  # a network that is named brings its own
)
CALIBRATION_PATH = NamesPath(lambda text: text != "random")
Calibration = Annotated[
    str | None,
    option(
        "--data",
        "--calibration",
        help=f"Real data: {FORMS}; or random. Float models are calibrated with it, builds are tested with part "
        f"of it. {SCALED}",
    ),
    replace(CALIBRATION, also=("data",)),
    CALIBRATION_PATH,
]
SweptCalibration = Annotated[
    str | None,
    option("--calibration", help=f"Real data for float models: {FORMS}; or random. {SCALED}"),
    CALIBRATION,
    CALIBRATION_PATH,
]
ImageRange = Annotated[
    str | None,
    option(
        "--image-range",
        help="What pixels 0 to 255 are scaled to: 0..1, -1..1, 0..255 or other ends. Default: what the model "
        "shows that it takes, by its input's quantization or its own first layers (Rescaling); else 0..1.",
    ),
    Shared("image_range", example="0..255"),
]
Samples = Annotated[
    int | None, option(help="Samples to calibrate with; default 200.", min=1), Shared("samples", example=200)
]
Io = Annotated[
    str | None,
    option(help="Inputs and outputs of float models: uint8 (default) or int8."),
    Shared("io", example="uint8", choices=("uint8", "int8")),
]
NPU = Shared("npu", example="U55-128")
Npu = Annotated[str | None, option(help=f"{listed()}."), NPU]
SystemConfig = Annotated[
    str | None,
    option(help="Section of Vela's Arm/vela.ini."),
    Shared("system_config", example="Ethos_U55_High_End_Embedded"),
]
MemoryMode = Annotated[
    str | None, option(help="Section of Vela's Arm/vela.ini."), Shared("memory_mode", example="Shared_Sram")
]
Optimise = Annotated[
    str | None,
    option(help="Vela's strategy: Performance (default) or Size."),
    Shared("optimise", example="Performance", choices=("Performance", "Size")),
]
SramLimit = Annotated[
    str | None,
    option(help="Most SRAM the model may take: bytes, 512K, 2M. Default: the board's."),
    Shared("sram_limit", example="2M", sizes=True),
]
Advice = Annotated[
    str | None,
    option(
        help="What would make the model cheaper: quick (default) has the operators tried alone, full whole "
        "networks, too, which takes minutes; or none."
    ),
    Shared("advice", example="quick", choices=("none", "quick", "full")),
]
Verify = Annotated[
    str | None,
    option(
        help="Whether operators are checked on the NPU model right after Vela: quick (default), on a few inputs "
        "and never longer than Vela took; or none, which every later verdict says."
    ),
    Shared("verify", example="quick", choices=("none", "quick")),
]
BUILD = Shared("build", example="build/model-u55-128")
Build = Annotated[Path | None, argument(help="Build folder; default: the one compiled last."), BUILD]
BuildOrFile = Annotated[
    Path | None,
    argument(
        metavar="BUILD",
        help="Build folder, default the one compiled last; or a .tflite that Vela compiled.",
    ),
    BUILD,
]
Source = Annotated[
    Path | None,
    option("--source", help="The .tflite that such a file was compiled from: what it is judged by."),
    NamesPath(),
]
AcceptNoReference = Annotated[
    bool,
    option(
        "--accept-no-reference",
        help="Exit 0, not 2, where nothing fails but nothing can judge: such a file without --source.",
        default=False,
    ),
]
Builds = Annotated[
    list[Path] | None,
    argument(metavar="BUILD...", help="Build folder, default the one compiled last; several are compared."),
    BUILD,
]
BuildOutput = Annotated[
    Path | None,
    option("-o", "--output", help="Build folder; default build/<model>-<npu>."),
    BUILD,
    Writes("replaced folder"),
]
Board = Annotated[
    str | None,
    option(help="Board that firmware is rendered for; default corstone-300, for U85 corstone-320."),
    Shared("board", example="corstone-300"),
]
FIRMWARE_KINDS = ("runner", "npu", "tflm")
"""Words for ``--firmware``; any other text is a file."""
Firmware = Annotated[
    str | None,
    option(help="What to boot: runner (Arm's prebuilt TFLM runner; default), npu, tflm, or FILE.elf."),
    Shared("firmware", example="runner"),
    NamesPath(lambda text: text not in FIRMWARE_KINDS),
]
# A word alone may be the name of a program on the PATH.
FVP_PATH = NamesPath(lambda text: "/" in text and not text.startswith("docker:"))
Fvp = Annotated[
    str | None,
    option(
        "--fvp",
        "--target",
        help="Path of Arm's FVP, docker:IMAGE, open or open:BOARD. Default: Arm's where installed, else open.",
    ),
    Shared("fvp", example="open"),
    FVP_PATH,
]
DATA = Shared("data", example="test.npz", also=("inputs",))
Data = Annotated[
    str | None,
    option(
        "--data",
        "--inputs",
        help=f"Inputs, with or without labels: {FORMS}. Real values are quantized. {SCALED} Default: what the "
        "build folder keeps (calibration data, or made up).",
    ),
    DATA,
    NamesPath(),
]
LabelledData = Annotated[
    str | None,
    option("--data", "--inputs", help=f"Labelled set: {FORMS}. Real values are quantized. {SCALED}"),
    DATA,
    NamesPath(),
]
Labels = Annotated[
    Path | None,
    option(help=".json with class names and true labels of --data; they win over those in the data."),
    Shared("labels", example="labels.json", belongs_to="data"),
]
COUNT = Shared("count", example=16)
Count = Annotated[int | None, option(help="How many inputs to run.", min=1), COUNT]
RequireEvidence = Annotated[
    bool,
    option(
        "--require-evidence",
        help="Fail where the evidence is weak: one input only, or an output that never changes or leaves the ends "
        "of its range.",
        default=False,
    ),
    Shared("require_evidence", example=True),
]
Sequence = Annotated[
    bool,
    option(
        "--sequence",
        help="The inputs are one sequence: the model keeps its state from one to the next. Default: each input "
        "starts from the model's initial state.",
        default=False,
    ),
    Shared("sequence", example=True, belongs_to="inputs"),
]
State = Annotated[
    list[str] | None,
    option(
        "--state",
        metavar="INPUT=OUTPUT",
        help="With --sequence: the model's state is this input, and this output is the next one; repeatable.",
    ),
    Shared("state", example=["state_in=state_out"], belongs_to="inputs"),
]
Seed = Annotated[
    int | None,
    option(help="Make up the same inputs for this run as one before, which named this number.", min=0),
]
Jobs = Annotated[
    int | None, option(help="Machines side by side; default: one a core.", min=1), Shared("jobs", example=2)
]
Scheduler = Annotated[
    str | None,
    option(help="Work on the workers of this Dask cluster: tcp://HOST:PORT of a scheduler you trust."),
    Shared("scheduler", example="tcp://127.0.0.1:8786"),
]
Tolerance = Annotated[
    float | None,
    option(
        help="Largest difference of quantized outputs from the reference, end to end, in LSB; default 1.",
        min=0,
    ),
    Shared("tolerance", example=1),
]
# Kept in a verb's table: `search` calls something else so.
Oracle = Annotated[
    str,
    option(
        "--oracle",
        help="Kernels to compare with: litert (LiteRT's reference), tflm, both (one must agree), or auto "
        "(default): litert, and tflm where that differs beyond the tolerance or cannot run the model.",
        default="auto",
    ),
]
AcceptModelDifference = Annotated[
    bool,
    option(
        "--accept-model-difference",
        help="Let a target pass that keeps to the tolerance but differs from the NPU model; the document says so.",
        default=False,
    ),
    Shared("accept_model_difference", example=False),
]
Timeout = Annotated[
    float | None,
    option(help="Seconds a boot, or on a board an input, may take; default: 120, more for large models.", min=1),
    Shared("timeout", example=120),
]
Timing = Annotated[
    bool,
    option("--timing", help="Have Arm's FVP count the NPU's cycles (much slower than --fast).", default=False),
    Shared("timing", example=False),
]
Locate = Annotated[
    bool,
    option(
        "--locate",
        help="Where outputs differ from the NPU model's, run again to find the first operation that differs.",
        default=False,
    ),
    Shared("locate", example=True),
]
Limits = Annotated[
    list[str] | None,
    option(
        "--limit",
        metavar="LIMIT",
        help="What a figure is held to, e.g. 'sram<=200K'; repeatable. Without it, those of deploy.toml.",
    ),
    Shared("limits", example=["sram<=200K", "time<=2ms", "cpu_operators<=0", "accuracy>=90%"]),
]

# What several verbs have with a meaning that is each one's own: kept in the verb's table, not at the top.
Quiet = Annotated[bool, option("--quiet", "-q", help="Print nothing but errors.", default=False)]
QuietVerdict = Annotated[bool, option("--quiet", "-q", help="Print the verdict only.", default=False)]
ConverterVerbose = Annotated[
    bool, option("--verbose", "-v", help="Show what the converter prints.", default=False)
]
Json = Annotated[
    Path | None,
    option("--json", metavar="FILE", help="Write the result as a JSON document here; - is standard output."),
    Writes("answer"),
]
VerdictJunit = Annotated[
    Path | None,
    option("--junit", help="Write the verdict as JUnit XML here; - is standard output."),
    Writes("answer"),
]


def shared_options() -> tuple[Declared, ...]:
    """The options with a key at the top of ``deploy.toml``, in the order of this file."""
    found: dict[str, Declared] = {}
    for name, value in globals().items():
        if any(isinstance(mark, Shared) for mark in getattr(value, "__metadata__", ())):
            declared = declaration(name, value)
            found.setdefault(declared.key, declared)
    return tuple(found.values())
