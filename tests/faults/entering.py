"""Faults of what a command is given: files that have no end, arrays that are none, settings, numbers, models."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .building import command_stream_at, forged
from .sandbox import Sandbox
from .table import Stage

files = Stage("endless files")
arrays = Stage("arrays")
settings = Stage("settings")
numbers = Stage("numbers")
models = Stage("two models")

# -- FIFOs and devices in the place of files: no option waits for ever --


def endless(what: str, words: list[str], name: str = "fifo", status: int = 2, says: str = "") -> None:
    def inject(s: Sandbox) -> list[str]:
        place = s.folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        os.mkfifo(place)
        return words

    files.add(what, status, says or f"{name}: a FIFO, not a file", inject=inject)


BUILD = "build/tiny"
PORT = ["--port", "none"]
for text, words, name in (
    ("compile MODEL", ["compile", "m.tflite", "--npu", "U55-128"], "m.tflite"),
    ("compile a Keras MODEL", ["compile", "m.keras", "--npu", "U55-128"], "m.keras"),
    ("compile --calibration", ["compile", "tiny.keras", "--npu", "U55-128", "--calibration", "x.npz"], "x.npz"),
    ("quantize MODEL", ["quantize", "m.keras", "--calibration", "samples.npz"], "m.keras"),
    ("quantize MODEL.h5", ["quantize", "m.h5", "--calibration", "samples.npz"], "m.h5"),
    ("quantize a function in a file", ["quantize", "m.py:build", "--calibration", "samples.npz"], "m.py"),
    ("quantize --calibration", ["quantize", "tiny.keras", "--calibration", "x.npz"], "x.npz"),
    ("quantize --calibration .npy", ["quantize", "tiny.keras", "--calibration", "x.npy"], "x.npy"),
    ("quantize --calibration, a function", ["quantize", "tiny.keras", "--calibration", "x.py:f"], "x.py"),
    ("optimize MODEL", ["optimize", "m.tflite", "--npu", "U55-128"], "m.tflite"),
    ("optimize --inputs", ["optimize", "tiny.tflite", "--npu", "U55-128", "--inputs", "x.npz"], "x.npz"),
    ("report BUILD", ["report", "b"], "b"),
    ("firmware BUILD", ["firmware", "b"], "b"),
    ("firmware --labels", ["firmware", BUILD, "--labels", "l.json"], "l.json"),
    ("firmware --tflm", ["firmware", BUILD, "--runtime", "tflm", "--tflm", "t"], "t"),
    (
        "firmware --tflm-library",
        ["firmware", BUILD, "--runtime", "tflm", "--tflm", ".", "--tflm-library", "t.a"],
        "t.a",
    ),
    ("run-fvp BUILD", ["run-fvp", "b"], "b"),
    ("run-fvp --inputs", ["run-fvp", BUILD, "--inputs", "x.npz"], "x.npz"),
    ("run-fvp --labels", ["run-fvp", BUILD, "--labels", "l.json"], "l.json"),
    ("run-fvp --firmware", ["run-fvp", BUILD, "--firmware", "f.elf"], "f.elf"),
    ("run-fvp --fvp", ["run-fvp", BUILD, "--fvp", "./fvp"], "fvp"),
    ("run-board BUILD", ["run-board", "b", *PORT], "b"),
    ("run-board --inputs", ["run-board", BUILD, *PORT, "--inputs", "x.npz"], "x.npz"),
    ("verify BUILD", ["verify", "b"], "b"),
    ("verify --inputs", ["verify", BUILD, "--inputs", "x.npz"], "x.npz"),
    ("verify --labels", ["verify", BUILD, "--labels", "l.json"], "l.json"),
    ("evaluate --data", ["evaluate", BUILD, "--data", "x.npz"], "x.npz"),
    ("evaluate --labels", ["evaluate", BUILD, "--data", "samples.npz", "--labels", "l.json"], "l.json"),
    ("evaluate --model", ["evaluate", BUILD, "--data", "samples.npz", "--model", "m.keras"], "m.keras"),
    ("sweep MODEL", ["sweep", "m.tflite"], "m.tflite"),
    ("sweep --data", ["sweep", "tiny.tflite", "--data", "x.npz", "--labels", "l.json"], "x.npz"),
    ("sweep --labels", ["sweep", "tiny.tflite", "--data", "samples.npz", "--labels", "l.json"], "l.json"),
    (
        "models build --weights",
        ["models", "build", "multihead-mobilenetv3", "--weights", "w.weights.h5", "-o", "m.keras"],
        "w.weights.h5",
    ),
    ("fvp install", ["fvp", "install", "a.tgz"], "a.tgz"),
):
    endless(f"{text} is a FIFO", words, name)
for name in ("compile.json", "source.tflite", "model_vela.tflite"):
    endless(f"{name} is a FIFO", ["report", BUILD], f"{BUILD}/{name}", says=f"{name}: not a regular file")
endless("deploy.toml is a FIFO", ["report", BUILD], "deploy.toml")
endless(
    "the note of the last build is a FIFO", ["report"], "build/.last-build.json", says="no build folder was named"
)
for verb, option in (("verify", "--inputs"), ("run-fvp", "--labels"), ("evaluate", "--data")):
    files.add(
        f"{verb} {option} is a device without end",
        2,
        "/dev/zero: a device, not a file",
        inject=lambda _, v=verb, o=option: [v, BUILD, o, "/dev/zero"],
    )

# -- .npz that are none, and members that are no arrays --


def zipped(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def headed(shape: str, dtype: str = "'|u1'") -> bytes:
    """An ``.npy`` with a header and nothing behind it."""
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


IMAGES = saved(np.zeros((2, 16, 16, 1), np.uint8))
LABELLED = {"labels_garment__npy": saved(np.zeros(2, np.int64))}
for text, content, verify_says, evaluate_says in (
    ("whose only member is a text", {"readme__txt": b"hello"}, "no NumPy array in it", "no NumPy array in it"),
    ("whose member has no ending", {"image": b"hello"}, "no NumPy array in it", "no NumPy array in it"),
    ("whose member is text called .npy", {"image__npy": b"hello"}, "magic string", "magic string"),
    ("without members", {}, "it holds nothing", "no labels"),
    ("whose array is cut short", {"image__npy": IMAGES[:-50]}, "ends before the array does", "ends before"),
    ("whose array has half a header", {"image__npy": IMAGES[:20]}, "not a usable NumPy array", "not a usable"),
    ("whose array is larger than any memory", {"image__npy": headed("(1 << 60, 16, 16, 1)")}, "x.npz", "x.npz"),
    ("whose array claims petabytes", {"image__npy": headed(f"({10**15}, 16, 16, 1)")}, "x.npz", "x.npz"),
    ("whose array has a negative dimension", {"image__npy": headed("(-2, 16, 16, 1)")}, "x.npz", "x.npz"),
    ("whose header is nested too deeply", {"image__npy": headed("(2,)", "[" * 5000)}, "x.npz", "x.npz"),
    ("whose array holds records", {"image__npy": saved(np.zeros(2, [("a", "u1")]))}, "array image is", "image"),
    (
        "whose array holds complex numbers",
        {"image__npy": saved(np.zeros((2, 16, 16, 1), "c8"))},
        "complex64",
        "image",
    ),
    ("whose array holds dates", {"image__npy": saved(np.zeros((2, 16, 16, 1), "M8[s]"))}, "datetime64", "image"),
):

    def write_and(words: list[str], members: dict[str, bytes], *, labelled: bool = False) -> Callable[..., Any]:
        def inject(s: Sandbox) -> list[str]:
            s.write("x.npz", zipped(**members, **(LABELLED if labelled and members else {})))
            return words

        return inject

    arrays.add(
        f"verify, an .npz {text}",
        2,
        verify_says,
        inject=write_and(["verify", BUILD, "--inputs", "x.npz"], content),
    )
    labelled = not text.startswith(("whose only", "whose member has"))
    arrays.add(
        f"evaluate, an .npz {text}",
        2,
        evaluate_says,
        inject=write_and(["evaluate", BUILD, "--data", "x.npz", "-q"], content, labelled=labelled),
    )


@arrays("verify, an .npz that is encrypted", 2, "x.npz: not a usable NumPy file")
def _(s: Sandbox) -> list[str]:
    content = bytearray(zipped(image__npy=IMAGES))
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    s.write("x.npz", bytes(content))
    return ["verify", BUILD, "--inputs", "x.npz"]


@arrays("verify, an .npz with a damaged check sum", 2, "x.npz: array image: not a usable NumPy array")
def _(s: Sandbox) -> list[str]:
    content = bytearray(zipped(image__npy=IMAGES))
    content[300] ^= 1
    s.write("x.npz", bytes(content))
    return ["verify", BUILD, "--inputs", "x.npz"]


# -- settings and JSON that is nested without end --


def configured(what: str, text: str, *says: str) -> None:
    settings.add(what, 2, *says, inject=lambda s: [str(s.write("deploy.toml", text) and "report"), BUILD])


configured("lists nested 100,000 deep", "count = " + "[" * 100_000, "deploy.toml: not valid TOML")
configured("lists nested 300 deep", "count = " + "[" * 300 + "]" * 300, "`count` = [...]: must be a whole number")
configured("tables nested 900 deep", "count = " + "{a = " * 900, "deploy.toml: not valid TOML")
configured("a key of 100,000 parts", ".".join(["a"] * 100_000) + " = 1", "not valid TOML: nested too deeply")
configured("a key of 40 parts", ".".join(["count"] + ["a"] * 40) + " = 1", "`count` = {...}: must be")
configured("a table of 5,000 parts", "[" + ".".join(["verb"] * 5_000) + "]\nx = 1", "nested too deeply")
configured("a number of 5,000 digits", "count = " + "9" * 5_000, "deploy.toml: not valid TOML")
configured("a number of 400 digits", "tolerance = " + "9" * 400, "is too large")
configured("a value of a million characters", f'count = "{"x" * 500_000}"', "must be a whole number")
configured("a file of two megabytes", "# " + "x" * (2 << 20), "larger than the 1048576 bytes that are read")
configured("a NUL", 'model = "\0"', "deploy.toml: not valid TOML")
configured("a tolerance that is no number", "tolerance = nan", "`tolerance` = nan: must be a finite number")
configured("a tolerance without bound", "tolerance = inf", "`tolerance` = inf: must be a finite number")
configured("a tolerance below zero", "tolerance = -0.5", "`tolerance` = -0.5: must be at least 0")
DEEP = "[" * 100_000
for verb in ("verify", "run-fvp", "firmware"):
    settings.add(
        f"{verb} --labels, JSON that is nested too deeply",
        2,
        "l.json: Invalid JSON: recursion limit exceeded",
        inject=lambda s, v=verb: [v, BUILD, "--labels", s.write("l.json", DEEP).name],
    )


@settings("compile.json is nested too deeply", 2, "compile.json", "recursion limit exceeded")
def _(s: Sandbox) -> list[str]:
    (s.build / "compile.json").write_text(DEEP)
    return ["report", BUILD]


@settings("the note of the last build is nested too deeply", 2, "no build folder was named")
def _(s: Sandbox) -> list[str]:
    s.write("build/.last-build.json", DEEP)
    return ["report"]


@settings("a kept evaluation is nested too deeply", 2, "evaluate.json: cannot be read")
def _(s: Sandbox) -> list[str]:
    (s.build / "evaluate.json").write_text(DEEP)
    return ["report", BUILD, "--format", "html", "-o", "r.html"]


# -- numbers that are none --
JUDGING = (
    ("verify", ["verify", BUILD]),
    ("run-fvp", ["run-fvp", BUILD]),
    ("run-board", ["run-board", BUILD, *PORT]),
    ("optimize", ["optimize", "tiny.tflite", "--npu", "U55-128"]),
)
for verb, words in JUDGING:
    for value, says in (
        ("nan", "--tolerance nan: must be a finite number"),
        ("inf", "--tolerance inf: must be a finite number"),
        ("1e999", "--tolerance inf: must be a finite number"),
        ("-inf", "-inf is not in the range"),
        ("-0.5", "-0.5 is not in the range"),
        ("one", "'one' is not a valid float"),
    ):
        numbers.add(
            f"{verb} --tolerance {value}", 2, says, inject=lambda _, w=words, v=value: [*w, "--tolerance", v]
        )
for words, says in (
    (["run-fvp", BUILD, "--timeout", "nan"], "--timeout nan: must be a finite number"),
    (["run-fvp", BUILD, "--timeout", "inf"], "--timeout inf: must be a finite number"),
    (["run-board", BUILD, *PORT, "--timeout", "nan"], "--timeout nan: must be a finite number"),
    (["search", "--minutes", "nan"], "--minutes nan: must be a finite number"),
    (["evaluate", BUILD, "--data", "samples.npz", "--fail-below", "nan%"], "--fail-below"),
    (["evaluate", BUILD, "--data", "samples.npz", "--max-drop", "inf"], "--max-drop"),
    (["report", BUILD, BUILD, "--fail-on", "cycles+nan%"], "'cycles+nan%' is not a rule"),
):
    numbers.add(" ".join(words[:1] + words[-2:]), 2, says, inject=lambda _, w=words: w)

# -- models that were damaged after their hash, or do not belong together --


def changed(s: Sandbox, file: str, change: Callable[[Any], None]) -> None:
    """Change a model of the build, and the hash in compile.json with it."""
    import flatbuffers

    from deploy.tflite import schema

    model = schema().ModelT.InitFromPackedBuf((s.build / file).read_bytes(), 0)
    change(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    forged(s, bytes(builder.Output()), file)


def reshaped(*shape: int) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].shape = list(shape)

    return change


def another_type(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].type = 0


def another_input(model: Any) -> None:
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape = [1, 15, 16, 1]


def one_output_less(model: Any) -> None:
    model.subgraphs[0].outputs = list(model.subgraphs[0].outputs[:1])
    model.signatureDefs[0].outputs = [
        each for each in model.signatureDefs[0].outputs if each.tensorIndex in model.subgraphs[0].outputs
    ]


def weights_for_more_outputs(model: Any) -> None:
    """The reference computes five numbers where the model says that there are four."""
    graph = model.subgraphs[0]
    weights = next(
        graph.tensors[each.inputs[1]]
        for each in graph.operators
        if len(each.inputs) == 3 and list(graph.tensors[each.inputs[1]].shape) == [4, 8]
    )
    operator = next(
        each for each in graph.operators if len(each.inputs) == 3 and graph.tensors[each.inputs[1]] is weights
    )
    weights.shape = [5, 8]
    buffer = model.buffers[weights.buffer]
    data = np.array(buffer.data, np.uint8)
    buffer.data = np.concatenate([data, data[:8]])
    quantization = weights.quantization
    if len(quantization.scale) > 1:
        quantization.scale = np.append(quantization.scale, quantization.scale[0])
        quantization.zeroPoint = np.append(quantization.zeroPoint, 0)
    operator.inputs = [operator.inputs[0], operator.inputs[1], -1]


def a_constant_of_another_size(model: Any) -> None:
    graph = model.subgraphs[0]
    tensor = next(each for each in graph.tensors if each.shape is not None and list(each.shape) == [4, 8])
    model.buffers[tensor.buffer].data = np.zeros(340, np.uint8)


JUDGES = (("verify", ["verify", BUILD, "--count", "1"]), ("run-fvp", ["run-fvp", BUILD, "--fvp", "open"]))
for text, file, change, says in (
    ("the reference's output is longer", "source.tflite", reshaped(1, 5), "in source.tflite it is uint8[1, 5]"),
    ("the reference's output has another rank", "source.tflite", reshaped(1, 4, 1), "it is uint8[1, 4, 1]"),
    ("the reference's output is a scalar", "source.tflite", reshaped(), "it is uint8[]"),
    ("the reference's output is of another type", "source.tflite", another_type, "it is float32[1, 4]"),
    ("the reference has an output less", "source.tflite", one_output_less, "it is none of that name"),
    ("the reference's input is smaller", "source.tflite", another_input, "it is uint8[1, 15, 16, 1]"),
    ("the compiled model's output is longer", "model_vela.tflite", reshaped(1, 5), "is uint8[1, 5], in source"),
    ("the compiled model's input is smaller", "model_vela.tflite", another_input, "input image is uint8[1, 15"),
    (
        "the reference computes outputs of another shape",
        "source.tflite",
        weights_for_more_outputs,
        "the reference kernels make it [1, 5], the model file says [1, 4]",
    ),
    ("a constant of another size", "source.tflite", a_constant_of_another_size, "of 32 bytes holds 340"),
):
    for verb, words in JUDGES:

        def inject(
            s: Sandbox, f: str = file, c: Callable[[Any], None] = change, w: list[str] = words
        ) -> list[str]:
            changed(s, f, c)
            (s.build / "samples.npz").unlink()  # bound to the model that was
            return w

        models.add(f"{verb}, {text}", 2, says, inject=inject)


def edited(at: Callable[[bytes], int], content: bytes) -> Callable[[bytes], bytes]:
    def edit(model: bytes) -> bytes:
        place = at(model)
        return model[:place] + content + model[place + len(content) :]

    return edit


DAMAGE: tuple[tuple[str, Callable[[bytes], bytes], int, str], ...] = (
    ("is empty", lambda _: b"", 2, "the TFL3 identifier is missing"),
    ("is cut in half", lambda model: model[: len(model) // 2], 2, "the TFLite model is damaged"),
    ("lacks its last 16 bytes", lambda model: model[:-16], 2, "model_vela.tflite"),
    ("has a root out of the file", edited(lambda _: 0, b"\xf0\xff\xff\x7f"), 2, "the TFLite model is damaged"),
    ("has a root of zero", edited(lambda _: 0, bytes(4)), 2, "model_vela.tflite"),
    ("is another file", lambda _: bytes(range(256)) * 8, 2, "the TFL3 identifier is missing"),
    (
        "has a command stream without magic",
        edited(command_stream_at, b"XXXX"),
        2,
        "does not start with a driver header",
    ),
    (
        "has a command stream of zeros",
        edited(lambda model: command_stream_at(model) + 48, bytes(64)),
        1,
        "FAIL - beyond the tolerance",
    ),
    (
        "has commands that no NPU has",
        edited(lambda model: command_stream_at(model) + 48, b"\xff" * 64),
        4,
        "the NPU model stopped",
    ),
)


def damaged(what: str, edit: Callable[[bytes], bytes], words: list[str], status: int, says: str) -> None:
    def inject(s: Sandbox) -> list[str]:
        content = (s.build / "model_vela.tflite").read_bytes()
        forged(s, edit(content))
        return words

    models.add(what, status, says, inject=inject)


for text, edit, status, says in DAMAGE:
    damaged(f"verify, the compiled model {text}", edit, ["verify", BUILD, "--count", "1"], status, says)
    if status == 2:  # firmware is rendered, and judged by whoever runs it
        damaged(f"firmware, the compiled model {text}", edit, ["firmware", BUILD, "-o", "project"], 2, says)


for verb, words, says in (
    ("verify", ["verify", BUILD], "the model has no OfflineMemoryAllocation metadata"),
    ("firmware", ["firmware", BUILD], "no ethos-u operator in it"),
):

    def uncompiled(s: Sandbox, w: list[str] = words) -> list[str]:
        forged(s, (s.build / "source.tflite").read_bytes())
        return w

    models.add(f"{verb}, the compiled model is its own source", 2, says, inject=uncompiled)


@models("firmware, the name of an input has 100,000 characters", 2, "no room for names beyond 65535 bytes")
def _(s: Sandbox) -> list[str]:
    from deploy.tflite import read
    from deploy.tflite.renaming import with_names

    def unsigned(model: Any) -> None:
        model.signatureDefs = []

    changed(s, "model_vela.tflite", unsigned)
    forged(s, with_names((s.build / "model_vela.tflite").read_bytes(), lambda name: name * 10_000))
    _rename_records(
        s.build / "compile.json", [each.name for each in read(s.build / "model_vela.tflite").input_tensors]
    )
    return ["firmware", BUILD, "-o", "project"]


def _rename_records(path: Path, names: list[str]) -> None:
    import json

    document = json.loads(path.read_text())
    for record, name in zip(document["inputs"], names, strict=True):
        record["name"] = record["tensor_name"] = name
    path.write_text(json.dumps(document))
