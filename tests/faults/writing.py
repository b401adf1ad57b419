"""Faults of what a command is to write: places that are read, that are somebody else's, or that take nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Callable

from .sandbox import Sandbox
from .table import Stage

files = Stage("files")

QUANTIZE = ["quantize", "tiny.keras", "--calibration", "samples.npz", "-q"]
COMPILE = ["compile", "tiny.tflite", "--npu", "U55-128", "-q"]
OPTIMIZE = ["optimize", "tiny.tflite", "--npu", "U55-128", "-q"]
SWEEP = ["sweep", "tiny.tflite", "--npu", "U55-128", "-q"]
VERIFY = ["verify", "build/tiny", "-q", "--count", "1"]
RUN = ["run-fvp", "build/tiny", "-q", "--fvp", "open"]
EVALUATE = ["evaluate", "build/tiny", "--data", "samples.npz", "-q"]
READ = "reads, and would be overwritten"


def linked(how: Callable[..., None], source: str, name: str) -> Callable[[Sandbox], None]:
    def prepare(s: Sandbox) -> None:
        how(s.folder / source, s.folder / name)

    return prepare


def nothing(_s: Sandbox) -> None:
    """Nothing has to be prepared."""


def refused(
    what: str,
    words: list[str],
    *says: str,
    prepare: Callable[[Sandbox], None] = nothing,
    untouched: tuple[str, ...] = (),
    status: int = 2,
    **options: object,
) -> None:
    """A command that must be refused, and must leave the named files as they were."""
    before: dict[str, bytes] = {}

    def inject(s: Sandbox) -> list[str]:
        prepare(s)
        before.update({name: (s.folder / name).read_bytes() for name in untouched})
        return words

    def afterwards(s: Sandbox) -> str:
        changed = [name for name, content in before.items() if (s.folder / name).read_bytes() != content]
        return f"{', '.join(changed)} was changed" if changed else ""

    files.add(what, status, *says, inject=inject, afterwards=afterwards, **options)


# -- what is written is what is read --
for text, name, prepare in (
    ("by its name", "tiny.keras", nothing),
    ("by another spelling", "build/../tiny.keras", nothing),
    ("by a link", "link.keras", linked(lambda old, new: new.symlink_to(old), "tiny.keras", "link.keras")),
    ("by a hard link", "hard.keras", linked(os.link, "tiny.keras", "hard.keras")),
):
    refused(
        f"quantize writes over its model, {text}",
        [*QUANTIZE, "-o", name],
        f"--output {name}",
        READ,
        prepare=prepare,
        untouched=("tiny.keras",),
    )
for text, words, option, name in (
    ("quantize -o its data", [*QUANTIZE, "-o", "samples.npz"], "--output", "samples.npz"),
    ("quantize --json its data", [*QUANTIZE, "--json", "samples.npz"], "--json", "samples.npz"),
    ("quantize --json its model", [*QUANTIZE, "--json", "tiny.keras"], "--json", "tiny.keras"),
    ("compile --json its model", [*COMPILE, "--json", "tiny.tflite"], "--json", "tiny.tflite"),
    ("optimize -o its model", [*OPTIMIZE, "-o", "./tiny.tflite"], "--output", "tiny.tflite"),
    ("optimize --json its model", [*OPTIMIZE, "--json", "tiny.tflite"], "--json", "tiny.tflite"),
    (
        "optimize --json its inputs",
        [*OPTIMIZE, "--inputs", "samples.npz", "--json", "samples.npz"],
        "--json",
        "samples.npz",
    ),
    ("sweep --json its model", [*SWEEP, "--json", "tiny.tflite"], "--json", "tiny.tflite"),
    ("sweep --csv its model", [*SWEEP, "--csv", "tiny.tflite"], "--csv", "tiny.tflite"),
    ("sweep --chart its model", [*SWEEP, "--chart", "tiny.tflite"], "--chart", "tiny.tflite"),
    (
        "verify --json its inputs",
        [*VERIFY, "--inputs", "samples.npz", "--json", "samples.npz"],
        "--json",
        "samples.npz",
    ),
    (
        "verify --junit its inputs",
        [*VERIFY, "--inputs", "samples.npz", "--junit", "samples.npz"],
        "--junit",
        "samples.npz",
    ),
    (
        "verify --counters its inputs",
        [*VERIFY, "--inputs", "samples.npz", "--counters", "samples.npz"],
        "--counters",
        "samples.npz",
    ),
    (
        "verify --json its labels",
        [*VERIFY, "--labels", "samples.npz", "--json", "samples.npz"],
        "--json",
        "samples.npz",
    ),
    (
        "run-fvp --json its inputs",
        [*RUN, "--inputs", "samples.npz", "--json", "samples.npz"],
        "--json",
        "samples.npz",
    ),
    (
        "run-fvp --junit its firmware",
        [*RUN, "--firmware", "tiny.tflite", "--junit", "tiny.tflite"],
        "--junit",
        "tiny.tflite",
    ),
    (
        "run-board --json its inputs",
        ["run-board", "build/tiny", "--port", "none", "--inputs", "samples.npz", "--json", "samples.npz"],
        "--json",
        "samples.npz",
    ),
    ("evaluate --json its data", [*EVALUATE, "--json", "samples.npz"], "--json", "samples.npz"),
):
    refused(text, words, f"{option} ", READ, untouched=(name,))

# -- what is written is part of a build folder, or takes what is read along --
for name in ("source.tflite", "model_vela.tflite", "compile.json"):
    refused(
        f"verify --json {name} of its build", [*VERIFY, "--json", f"build/tiny/{name}"], "a file of a build folder"
    )
    refused(
        f"report -o {name} of its build",
        ["report", "build/tiny", "--format", "html", "-o", f"build/tiny/{name}"],
        "a file of a build folder",
    )
refused(
    "quantize -o the source of a build",
    [*QUANTIZE, "-o", "build/tiny/source.tflite"],
    "a file of a build folder",
)
refused(
    "compile into the build folder that its model lies in",
    ["compile", "build/tiny/own.tflite", "--npu", "U55-128", "-o", "build/tiny", "-q"],
    "is replaced as a whole, with build/tiny/own.tflite in it",
    prepare=linked(shutil.copy, "tiny.tflite", "build/tiny/own.tflite"),
    untouched=("build/tiny/own.tflite",),
)


def data_in_a_folder(s: Sandbox) -> None:
    s.write("wrong/data.npz", s.samples.read_bytes())


refused(
    "evaluate saves wrong inputs into the folder of its data",
    ["evaluate", "build/tiny", "--data", "wrong/data.npz", "--save-wrong", "wrong", "-q"],
    "is replaced as a whole",
    prepare=data_in_a_folder,
    untouched=("wrong/data.npz",),
)

# -- two documents in one place --
for text, words in (
    ("run-fvp writes two documents into one file", [*RUN, "--json", "v", "--junit", "./v"]),
    ("verify writes two documents into one file", [*VERIFY, "--json", "v", "--counters", "v"]),
    ("verify writes two documents on standard output", [*VERIFY, "--json", "-", "--junit", "-"]),
    ("sweep writes two documents into one file", [*SWEEP, "--json", "v", "--csv", "v"]),
    ("sweep writes two documents on standard output", [*SWEEP, "--json", "-", "--csv", "-"]),
    ("quantize writes model and document into one file", [*QUANTIZE, "-o", "q", "--json", "q"]),
):
    refused(text, words, "is written there, too")

# -- firmware projects --


def project(edit: str, text: str) -> Callable[[Sandbox], None]:
    def prepare(s: Sandbox) -> None:
        from deploy.build_folder import BuildFolder
        from deploy.firmware_project.firmware_build import write_project

        write_project(BuildFolder.open(s.build), "npu", folder=s.folder / "project")
        s.write(f"project/{edit}", text)

    return prepare


FIRMWARE = ["firmware", "build/tiny", "-o", "project", "-q"]
for name in ("source/board.h", "linker/corstone-300.ld", "CMakeLists.txt", "model/network.c"):
    refused(
        f"{name} of a firmware project was edited",
        FIRMWARE,
        f"{name} (edited since)",
        prepare=project(name, "mine"),
        untouched=(f"project/{name}", "project/source/main.c"),
    )


def foreign(s: Sandbox) -> None:
    s.write("project/README.md", "my thesis")


refused(
    "a firmware project would overwrite somebody's file",
    FIRMWARE,
    "README.md (not from deploy)",
    prepare=foreign,
    untouched=("project/README.md",),
)


def a_file(s: Sandbox) -> None:
    s.write("project", "a file")


refused("the firmware project's place is a file", FIRMWARE, "project", "cannot be written", prepare=a_file)

# -- places that take nothing --


def fifo(s: Sandbox) -> None:
    from deploy import streams

    os.mkfifo(s.folder / "fifo")
    s.patch(streams, "_READER_S", 0.1)


def circle(s: Sandbox) -> None:
    (s.folder / "circle").symlink_to("circle")


def unix_socket(s: Sandbox) -> None:
    with contextlib.chdir(s.folder), socket.socket(socket.AF_UNIX) as opened:  # its path must be short
        opened.bind("socket")


for text, name, says, prepare in (
    ("a device that is full", "/dev/full", "No space left on device", nothing),
    ("a FIFO that nobody reads", "fifo", "fifo: cannot be written: nobody reads it", fifo),
    ("a circle of links", "circle", "circle: cannot be written: Too many levels of symbolic links", circle),
    ("a socket", "socket", "socket: cannot be written", unix_socket),
    ("a folder", "build", "build: cannot be written: it is a folder", nothing),
    ("below a file", "tiny.tflite/v", "tiny.tflite is not a folder", nothing),
):
    for option in ("--json", "--junit", "--counters"):
        refused(f"verify {option} {text}", [*VERIFY, option, name], says, prepare=prepare)
    refused(
        f"report -o {text}",
        ["report", "build/tiny", "--format", "html", "-o", name],
        "cannot be written",
        prepare=prepare,
    )
refused(
    "compile writes its document on a full device",
    [*COMPILE, "--advice", "none", "--json", "/dev/full"],
    "/dev/full: cannot be written: No space left on device",
)
refused("run-fvp writes its verdict on a full device", [*RUN, "--json", "/dev/full"], "No space left on device")

# -- calls that end before their options are known: yesterday's documents say error, too --
for verb, more in (("verify", []), ("run-fvp", []), ("run-board", ["--port", "none"])):
    for text, words, says in (
        ("an option that does not exist", ["--colour", "red"], "--colour"),
        ("a count that is no number", ["--count", "many"], "'many' is not a valid integer"),
        ("a build folder that does not exist", [], "none: not a build folder"),
    ):
        refused(f"{verb} with {text}", [verb, "none", *more, *words], says)


def no_settings(s: Sandbox) -> None:
    s.write("deploy.toml", "tolerance = [")


for verb, more in (("verify", []), ("run-fvp", []), ("run-board", ["--port", "none"])):
    refused(
        f"{verb} with a deploy.toml that is no TOML",
        [verb, "build/tiny", *more],
        "deploy.toml: not valid TOML",
        prepare=no_settings,
    )
