"""Faults of the host steps: quantize, models, compile, report, verify, firmware, fvp."""

from __future__ import annotations

import json
import os
import signal
import struct
import zipfile
from pathlib import Path

import numpy as np

from .sandbox import Sandbox
from .table import HUNG_UP, INTERRUPTED, TERMINATED, Stage

quantize = Stage("quantize")
models = Stage("models")
compile_ = Stage("compile")
report = Stage("report")
verify = Stage("verify")
check = Stage("check")
firmware = Stage("firmware")
fvp = Stage("fvp")


def cut(path: Path, keep: float = 0.5) -> Path:
    """Cut a file short."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


# -- quantize: models that are no models, data that is no data, code of the user's that misbehaves --


def quantizing(model: str = "tiny.keras", data: str = "samples.npz", output: str = "q.tflite") -> list[str]:
    return ["quantize", model, "--calibration", data, "-o", output, "-q"]


def bad_samples(what: str, says: str, **arrays: np.ndarray) -> None:
    def inject(s: Sandbox) -> list[str]:
        np.savez(s.folder / "bad.npz", **arrays)
        return quantizing(data="bad.npz")

    quantize.add(what, 2, "bad.npz", says, inject=inject, tensorflow=True)


def user_code(what: str, status: int, says: str, body: str) -> None:
    def inject(s: Sandbox) -> list[str]:
        s.write("data.py", f"import numpy as np\ndef samples():\n    {body}\n")
        return quantizing(data="data.py:samples")

    quantize.add(what, status, says, inject=inject, tensorflow=True)


IMAGE = np.zeros((2, 16, 16, 1), np.float32)
quantize.add("the model is missing", 2, "none.keras: no such model", inject=lambda _: quantizing("none.keras"))
bad_samples("calibration data of another shape", "has shape", image=np.zeros((2, 9, 9, 1), np.float32))
bad_samples("calibration data with NaN", "NaN", image=IMAGE * np.nan)
bad_samples("calibration data without samples", "no samples in it", image=IMAGE[:0])
bad_samples("calibration data for another input", "no array named", one=IMAGE, two=IMAGE)
bad_samples("calibration data of text", "bad.npz", image=np.array(["a", "b"]))
user_code("the user's data function raises", 2, "boom", "raise ValueError('boom')")
user_code("the user's data function ends the program with status 0", 2, "data.py", "raise SystemExit(0)")
user_code("the user's data function returns a number", 2, "returned int", "return 7")
user_code("the user's data function gives nothing", 2, "gave no samples", "yield from ()")


@quantize("the model file is empty", 2, "tiny.keras", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    s.keras.write_bytes(b"")
    return quantizing()


@quantize("the model file is cut short", 2, "tiny.keras", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    cut(s.keras)
    return quantizing()


@quantize("the model's weights are damaged", 2, "tiny.keras", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    with zipfile.ZipFile(s.keras) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members["model.weights.h5"] = members["model.weights.h5"][:100]
    with zipfile.ZipFile(s.keras, "w") as new:
        for name, content in members.items():
            new.writestr(name, content)
    return quantizing()


@quantize("the model is a folder", 2, "without saved_model.pb")
def _(s: Sandbox) -> list[str]:
    (s.folder / "saved").mkdir()
    return quantizing("saved")


@quantize("the calibration data is missing", 2, "none.npz: no such file", tensorflow=True)
def _(_s: Sandbox) -> list[str]:
    return quantizing(data="none.npz")


@quantize("the calibration file is cut short", 2, "samples.npz", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    cut(s.samples)
    return quantizing()


@quantize("the calibration folder holds a damaged image", 2, "not a usable image", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    s.write("images/a.png", b"\x89PNG\r\n\x1a\n damaged")
    return quantizing(data="images")


@quantize("the output is a folder", 2, "cannot be written", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    (s.folder / "q.tflite").mkdir()
    return quantizing()


@quantize("the output's name is too long", 2, "File name too long", tensorflow=True)
def _(_s: Sandbox) -> list[str]:
    return quantizing(output="q" * 300 + ".tflite")


@quantize("an output type that does not exist", 2, "--io float", tensorflow=True)
def _(_s: Sandbox) -> list[str]:
    return [*quantizing(), "--io", "float"]


@quantize("the converter is killed", 2, "killed", tensorflow=True, process={}, slow=True)
def _(s: Sandbox) -> list[str]:
    # The converter is a child that runs this Python: the killer waits for it.
    s.write(
        "data.py",
        "import os, threading, time, numpy as np\n"
        "def killer(parent):\n"
        "    for _ in range(3000):\n"
        "        time.sleep(0.02)\n"
        "        for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "            try:\n"
        "                line = open(f'/proc/{pid}/stat').read().rsplit(') ', 1)[1].split()\n"
        "                words = open(f'/proc/{pid}/cmdline').read()\n"
        "            except OSError:\n"
        "                continue\n"
        "            if int(line[1]) == parent and 'python' in words: os.kill(int(pid), 9); return\n"
        "def samples():\n"
        "    threading.Thread(target=killer, args=(os.getpid(),), daemon=True).start()\n"
        "    return np.zeros((4, 16, 16, 1), np.float32)\n",
    )
    return quantizing(data="data.py:samples")


@quantize(
    "Ctrl-C",
    INTERRUPTED,
    "interrupted",
    tensorflow=True,
    slow=True,
    process={"send": signal.SIGINT, "when": lambda s: (s.folder / "runs").exists()},
)
def _(s: Sandbox) -> list[str]:
    s.write("data.py", "import time\ndef samples():\n    open('runs', 'w').close(); time.sleep(60)\n")
    return quantizing(data="data.py:samples")


# -- models --

models.add(
    "a network that does not exist", 2, "no-such", inject=lambda _: ["models", "build", "no-such", "-o", "m.keras"]
)
models.add(
    "a value that the builder refuses",
    2,
    "--set alpha=big",
    inject=lambda _: ["models", "build", "multihead-mobilenetv3", "--set", "alpha=big", "-o", "m.keras"],
)
models.add(
    "an option that the builder does not have",
    2,
    "--set colour",
    inject=lambda _: ["models", "build", "multihead-mobilenetv3", "--set", "colour=1", "-o", "m.keras"],
)


@models("weights that are damaged", 2, "w.weights.h5", tensorflow=True)
def _(s: Sandbox) -> list[str]:
    s.write("w.weights.h5", b"no HDF5")
    return ["models", "build", "multihead-mobilenetv3", "--weights", "w.weights.h5", "-o", "m.keras"]


# -- compile --

COMPILE = ["compile", "tiny.tflite", "--npu", "U55-128", "-o", "build/tiny", "-q"]


def changed_model(what: str, says: str, content: bytes | None) -> None:
    def inject(s: Sandbox) -> list[str]:
        if content is None:
            cut(s.tflite)
        else:
            s.tflite.write_bytes(content)
        return COMPILE

    compile_.add(what, 2, "tiny.tflite", says, inject=inject)


def put_vela(s: Sandbox, body: str) -> list[str]:
    """Put a package before Vela on the import path, with Vela's own configuration files."""
    import ethosu

    for name in ("ethosu/__init__.py", "ethosu/vela/__init__.py"):
        s.write(f"fake/{name}", "")
    s.write("fake/ethosu/vela/__main__.py", body)
    real = Path(next(iter(ethosu.__path__)))
    (s.folder / "fake/ethosu/config_files").symlink_to(real / "config_files")
    s.environment["PYTHONPATH"] = str(s.folder / "fake")
    return COMPILE


def fake_vela(what: str, body: str, *says: str, status: int = 2, **options: object) -> None:
    """Vela is replaced by a package that stands before it on the import path."""

    def inject(s: Sandbox) -> list[str]:
        return put_vela(s, body)

    compile_.add(what, status, *says, inject=inject, **options)


OUTPUT = "import sys, pathlib\nout = pathlib.Path('out'); out.mkdir()\n"
changed_model("the model file is empty", "the TFL3 identifier is missing", b"")
changed_model("the model file is cut short", "the TFLite model is damaged", None)
changed_model("the model file holds something else", "the TFL3 identifier is missing", bytes(range(256)) * 8)
changed_model(
    "the model's root points out of the file",
    "the TFLite model is damaged",
    struct.pack("<I", 0x7FFFFFF0) + b"TFL3" + bytes(64),
)
fake_vela("Vela ends with status 0 and has written nothing", "", "no usable result")
fake_vela(
    "Vela ends with status 1", "import sys; sys.exit('out of ideas')", "Vela ended with status 1", "out of ideas"
)
fake_vela("Vela is killed", "import os; os.kill(os.getpid(), 9)", "Vela was killed by SIGKILL")
fake_vela("Vela crashes", "import os; os.abort()", "Vela was killed by SIGABRT")
fake_vela("Vela writes garbage", OUTPUT + "(out / 'model_vela.tflite').write_bytes(b'x' * 99)", "no usable result")
fake_vela(
    "Vela writes without end",
    "import itertools\nfor i in itertools.count(): print('x' * 1000000, flush=True)",
    "Vela wrote more than 256 MiB of messages",
)
for text, option, value, says in (
    ("an NPU that does not exist", "--npu", "U55-99", "U55-99: no such NPU configuration"),
    ("a system configuration that does not exist", "--system-config", "Fast", "Fast"),
    ("a memory mode that does not exist", "--memory-mode", "Huge", "Huge"),
    ("a strategy that does not exist", "--optimise", "Cheap", "--optimise Cheap"),
    ("an SRAM limit that is no size", "--sram-limit", "-5", "--sram-limit"),
    ("an SRAM limit that nothing fits in", "--sram-limit", "1", "SRAM"),
):
    compile_.add(text, 2, says, inject=lambda _, o=option, v=value: [*COMPILE, o, v])
compile_.add("no model is named", 2, "no MODEL given", inject=lambda _: ["compile"])
compile_.add(
    "the model is missing", 2, "no such model", inject=lambda _: ["compile", "none.tflite", "--npu", "U55-64"]
)
compile_.add(
    "a float model without data",
    2,
    "--calibration DATA",
    inject=lambda _: ["compile", "tiny.keras", "--npu", "U55-64"],
)
compile_.add(
    "the build folder's name is too long",
    2,
    "File name too long",
    inject=lambda _: [*COMPILE[:-2], "b" * 300, "-q"],
)
compile_.add(
    "the build folder's path is longer than the system takes",
    2,
    "File name too long",
    inject=lambda _: [*COMPILE[:-2], "/".join(["größe" * 30] * 40), "-q"],
)


@compile_("Vela never ends", 2, "Vela took too long")
def _(s: Sandbox) -> list[str]:
    from deploy.compiling import vela_command

    s.patch(vela_command, "TIMEOUT_S", 1)
    return put_vela(s, "import time; time.sleep(300)")


@compile_("Vela miscompiles an operator", 1, "operator 0 SUM (y) is miscompiled", "way around: sum over one axis")
def _(s: Sandbox) -> list[str]:
    from tflite_writer import GraphWriter, schema

    writer = GraphWriter()
    x, y = writer.tensor("x", [1, 8, 8, 4], "int8", 0.05), writer.tensor("y", [1, 4], "int8", 2.0)
    axes = writer.tensor("axes", [2], "int32", data=np.int32([1, 2]))
    writer.operator("SUM", [x, axes], [y], schema.ReducerOptionsT())
    (s.folder / "sum.tflite").write_bytes(writer.finish({"x": x}, {"y": y}))
    return ["compile", "sum.tflite", "--npu", "U55-128", "-q"]


@compile_("the build folder holds something else", 2, "build/tiny")
def _(s: Sandbox) -> list[str]:
    for path in s.build.iterdir():
        if path.is_file():
            path.unlink()
    (s.build / "thesis.txt").write_text("years of work")
    return COMPILE


@compile_("the build folder is a file", 2, "target")
def _(s: Sandbox) -> list[str]:
    s.write("target", "x")
    return [*COMPILE[:-2], "target", "-q"]


@compile_("the build folder's parent is read-only", 2, "not a folder that can be written", process={})
def _(s: Sandbox) -> list[str]:
    s.build.parent.chmod(0o500)
    return COMPILE


@compile_("the model may not be read", 2, "Permission denied", process={})
def _(s: Sandbox) -> list[str]:
    s.tflite.chmod(0)
    return COMPILE


@compile_(
    "the disk of the temporary files is full", 2, "No space left on device", process={"disk_bytes": 8 * 1024}
)
def _(_s: Sandbox) -> list[str]:
    return COMPILE


@compile_(
    "no file may grow beyond 2 KB",
    2,
    "temporary files cannot be written: File too large",
    process={"file_limit": 2 * 1024},
)
def _(_s: Sandbox) -> list[str]:
    return COMPILE


def slow_vela(s: Sandbox) -> list[str]:
    return put_vela(s, "import time; time.sleep(60)")


def vela_runs(s: Sandbox) -> bool:
    return s.sees("ethosu.vela", "model.tflite")


for text, number, expected, says, killed in (
    ("Ctrl-C while Vela runs", signal.SIGINT, INTERRUPTED, "interrupted", False),
    ("ended by SIGTERM while Vela runs", signal.SIGTERM, TERMINATED, "ended by SIGTERM", False),
    ("the terminal is closed while Vela runs", signal.SIGHUP, HUNG_UP, "ended by SIGHUP", False),
    ("killed outright while Vela runs", signal.SIGKILL, -9, "", True),
):
    compile_.add(
        text,
        expected,
        says,
        inject=slow_vela,
        process={"send": number, "when": vela_runs},
        killed=killed,
        slow=killed,
    )


@compile_("deploy.toml is no TOML", 2, "deploy.toml", "not valid TOML")
def _(s: Sandbox) -> list[str]:
    s.write("deploy.toml", "model = ")
    return COMPILE


@compile_("deploy.toml holds an unknown key", 2, "unknown key `modle`", "did you mean `model`")
def _(s: Sandbox) -> list[str]:
    s.write("deploy.toml", 'modle = "tiny.tflite"')
    return COMPILE


# -- report --

REPORT = ["report", "build/tiny"]
report.add("the build folder is missing", 2, "none: not a build folder", inject=lambda _: ["report", "none"])
report.add("a format that does not exist", 2, "--format", inject=lambda _: [*REPORT, "--format", "pdf"])


@report("the output cannot be written: its disk is full", 2, "No space left", process={"stdout": "/dev/full"})
def _(_s: Sandbox) -> list[str]:
    return REPORT


def damaged_document(what: str, says: str, change: dict[str, object] | str) -> None:
    def inject(s: Sandbox) -> list[str]:
        path = s.build / "compile.json"
        if isinstance(change, str):
            path.write_text(change)
        else:
            path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        return REPORT

    report.add(what, 2, "compile.json", says, inject=inject)


damaged_document("compile.json is cut short", "Invalid JSON: EOF", '{"schema_version": 1, "mo')
damaged_document("compile.json is of another version", "schema version 99", {"schema_version": 99})
damaged_document("compile.json holds a wrong type", "outputs", {"outputs": 7})
damaged_document("compile.json holds an unknown key", "surprise", {"surprise": 1})


@report("compile.json may not be read", 2, "compile.json cannot be read", process={})
def _(s: Sandbox) -> list[str]:
    (s.build / "compile.json").chmod(0)
    return REPORT


@report("the compiled model has gone", 2, "model_vela.tflite", "cannot be read")
def _(s: Sandbox) -> list[str]:
    (s.build / "model_vela.tflite").unlink()
    return REPORT


# -- verify --

VERIFY = ["verify", "build/tiny", "-q", "--count", "1"]


def forged(s: Sandbox, content: bytes, file: str = "model_vela.tflite") -> None:
    """Replace a model of the build and make compile.json agree, as a fault before the hash would."""
    import hashlib

    (s.build / file).write_bytes(content)
    path = s.build / "compile.json"
    document = json.loads(path.read_text())
    key = "compiled_sha256" if file == "model_vela.tflite" else "source_sha256"
    path.write_text(json.dumps({**document, key: hashlib.sha256(content).hexdigest()}))


def command_stream_at(content: bytes) -> int:
    """Where the command stream's header ``COP1`` lies in a compiled model."""
    return content.index(b"COP1")


@verify("a bit of the compiled model is flipped", 2, "not the file that compile.json describes")
def _(s: Sandbox) -> list[str]:
    content = bytearray((s.build / "model_vela.tflite").read_bytes())
    content[len(content) // 2] ^= 1
    (s.build / "model_vela.tflite").write_bytes(content)
    return VERIFY


@verify("the command stream is damaged", 4, "the NPU model stopped: command 0xffff")
def _(s: Sandbox) -> list[str]:
    content = bytearray((s.build / "model_vela.tflite").read_bytes())
    start = command_stream_at(content) + 48
    content[start : start + 64] = b"\xff" * 64
    forged(s, bytes(content))
    return VERIFY


@verify("the weights are those of another model", 1, "FAIL", "beyond the tolerance")
def _(s: Sandbox) -> list[str]:
    content = bytearray((s.build / "source.tflite").read_bytes())
    from ai_edge_litert import schema_py_generated as tflite

    model = tflite.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer = model.Buffers(tensor.Buffer())
        if tensor.Type() == tflite.TensorType.INT8 and buffer.DataLength() > 0:
            at = content.index(buffer.DataAsNumpy().tobytes())
            size = buffer.DataLength()
            content[at : at + size] = bytes((byte * 7 + 31) & 0x7F for byte in content[at : at + size])
    forged(s, bytes(content), "source.tflite")
    np.savez(s.folder / "x.npz", image=np.random.default_rng(0).integers(0, 256, (1, 16, 16, 1), np.uint8))
    return [*VERIFY, "--inputs", "x.npz"]


@verify(
    "the test inputs of the build are those of another model", 2, "samples.npz: not the file that compile.json"
)
def _(s: Sandbox) -> list[str]:
    (s.build / "samples.npz").write_bytes(s.samples.read_bytes())
    return VERIFY


@verify("the reference model is damaged, hash and all", 2, "source.tflite")
def _(s: Sandbox) -> list[str]:
    forged(s, (s.build / "source.tflite").read_bytes()[:200], "source.tflite")
    return VERIFY


verify.add("kernels that do not exist", 2, "--oracle onnx", inject=lambda _: [*VERIFY, "--oracle", "onnx"])
verify.add("a tolerance below zero", 2, "tolerance", inject=lambda _: [*VERIFY, "--tolerance", "-1"])
verify.add(
    "the verdict's place is a folder", 2, "build: cannot be written", inject=lambda _: [*VERIFY, "--json", "build"]
)


@verify("Vela's debug database has gone", 2, "debug database is missing")
def _(s: Sandbox) -> list[str]:
    for path in (s.build / "vela").glob("*_debug.xml"):
        path.unlink()
    return [*VERIFY, "--layers"]


@verify("the verdict's folder is read-only", 2, "cannot be written", process={})
def _(s: Sandbox) -> list[str]:
    (s.folder / "out").mkdir(mode=0o500)
    return [*VERIFY, "--json", "out/v.json"]


@verify("Ctrl-C", INTERRUPTED, "interrupted", process={"send": signal.SIGINT, "when": lambda s: s.maps("litert")})
def _(_s: Sandbox) -> list[str]:
    return [*VERIFY[:-1], "100000"]


# -- check --

CHECK = ["check", "build/tiny", "-q", "--count", "1"]
check.add("a limit is broken", 1, "FAIL", "time<=1us", inject=lambda _: [*CHECK, "--limit", "time<=1us"])
check.add("a limit is none", 2, "'sram' is not a limit", inject=lambda _: [*CHECK, "--limit", "sram"])
check.add("a limit is for no figure", 2, "did you mean sram?", inject=lambda _: [*CHECK, "--limit", "srm<=1"])
check.add("a limit needs labels", 2, "has no accuracy", inject=lambda _: [*CHECK, "--limit", "accuracy>=9%"])
check.add("nothing is named", 2, "no MODEL given", inject=lambda _: ["check", "-q"])


@check("the command stream is damaged", 4, "the NPU model stopped: command 0xffff")
def _(s: Sandbox) -> list[str]:
    content = bytearray((s.build / "model_vela.tflite").read_bytes())
    start = command_stream_at(content) + 48
    content[start : start + 64] = b"\xff" * 64
    forged(s, bytes(content))
    return CHECK


# -- firmware --

FIRMWARE = ["firmware", "build/tiny", "-o", "project", "-q"]
firmware.add("a runtime that does not exist", 2, "jax", inject=lambda _: [*FIRMWARE, "--runtime", "jax"])
firmware.add(
    "a TFLM tree that is none",
    2,
    "fake-tflm",
    inject=lambda _: [*FIRMWARE, "--runtime", "tflm", "--tflm", "fake-tflm", "--build"],
)


@firmware("the cross compiler is missing", 3, "install")
def _(s: Sandbox) -> list[str]:
    s.environment["PATH"] = str(s.bin)
    return [*FIRMWARE, "--build"]


# -- fvp --


@fvp("an archive that is none", 2, "a.tgz: not a whole .tgz")
def _(s: Sandbox) -> list[str]:
    s.write("a.tgz", os.urandom(4096))
    return ["fvp", "install", "a.tgz", "--into", "arm", "--accept-arm-licence"]


@fvp("Arm's licence was not accepted", 2, "was not accepted")
def _(s: Sandbox) -> list[str]:
    s.write("FVP_Corstone_SSE-300.sh", "#!/bin/sh\nmkdir -p $5")
    return ["fvp", "install", "FVP_Corstone_SSE-300.sh", "--into", "arm"]


@fvp("the installer is killed", 4, "was killed by SIGKILL")
def _(s: Sandbox) -> list[str]:
    s.write("FVP_Corstone_SSE-300.sh", "#!/bin/sh\nmkdir -p $5\nkill -9 $$")
    return ["fvp", "install", "FVP_Corstone_SSE-300.sh", "--into", "arm", "--accept-arm-licence"]


@fvp("the installer leaves a child behind and no simulator", 4, "installed no simulator")
def _(s: Sandbox) -> list[str]:
    s.write("FVP_Corstone_SSE-300.sh", "#!/bin/sh\nmkdir -p $5\nsleep 300 &\n")
    return ["fvp", "install", "FVP_Corstone_SSE-300.sh", "--into", "arm", "--accept-arm-licence"]


@fvp("a link would replace somebody's file", 2, "left alone")
def _(s: Sandbox) -> list[str]:
    s.write("arm/models/Linux64_GCC-9.3/FVP_Corstone_SSE-300_Ethos-U55", "Arm's own")
    return ["fvp", "link", "arm"]


@fvp("links cannot be written", 2, "Permission denied", process={})
def _(s: Sandbox) -> list[str]:
    (s.folder / "arm").mkdir(mode=0o500)
    return ["fvp", "link", "arm"]
