"""Looks at the TFLM build that a user names: the archive, its headers, and whether it can be linked.

TFLM is never built here. What a wrong library does otherwise (measured): objects for another core link silently,
a stub of the ethos-u kernel fails when tensors are allocated, a mismatch of TF_LITE_STATIC_MEMORY corrupts memory.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import BadInputError, NotInstalledError
from deploy.processes.supervisor import run

ARCHIVE = "libtensorflow-microlite.a"
EXPECTED = (
    "expected: the root of a TFLM source tree in which `microlite` was built for Cortex-M55 with the co-processor "
    "ethos_u (gen/*/lib/libtensorflow-microlite.a and its headers)"
)
_INTERPRETER = Path("tensorflow/lite/micro/micro_interpreter.h")
_PROBES = {"flatbuffers": "include/flatbuffers/flatbuffers.h", "gemmlowp": "fixedpoint/fixedpoint.h"}
_THIRD_PARTY = ("tensorflow/lite/micro/tools/make/downloads", "third_party", "third_party_static", "")
_MAX_FOLDERS = 20_000
_TIMEOUT_S = 120
_COMPATIBLE_CPUS = frozenset(["v8.1-M.mainline", "v8-M.mainline", "v8-M.baseline", "v7E-M", "v7", "v6S-M", "v6-M"])
_OWN_CPU = "v8.1-M.mainline"
_DRIVER_SYMBOLS = ("ethosu_invoke_v3", "ethosu_init", "ethosu_irq_handler")


@dataclass(frozen=True)
class TflmLibrary:
    """A TFLM build that can be linked.

    Attributes:
        includes: header folders, in the order of search.
        definitions: what the application has to be compiled with to match the library.
        notes: what else was found in it, one sentence each.
    """

    library: Path
    includes: tuple[Path, ...]
    definitions: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass
class _Member:
    defined: set[str] = field(default_factory=set)
    undefined: set[str] = field(default_factory=set)


def examine(directory: Path, library: Path | None = None) -> TflmLibrary:
    """Find and check a TFLM build in its tree's root, or in a folder with archive and headers.

    Raises:
        BadInputError: something is missing, or the library does not fit this target; says what is expected.
        NotInstalledError: the binary utilities of the compiler are missing.
    """
    if not directory.is_dir():
        raise BadInputError(f"--tflm {directory}: no such folder", hints=[EXPECTED])
    archive = _find_archive(directory, library)
    includes = _find_headers(directory, archive)
    _check_architecture(archive)
    members = _symbols(archive)
    defined = set[str]().union(*(member.defined for member in members.values()))
    _check_kernel(archive, members)
    _check_interpreter(archive, defined)
    definitions = []
    if "TfLiteIntArrayCreate" not in defined:
        definitions.append("TF_LITE_STATIC_MEMORY")
    if "_Z11MicroPrintfPKcz" not in defined:
        definitions.append("TF_LITE_STRIP_ERROR_STRINGS")
    return TflmLibrary(archive, includes, tuple(definitions), tuple(_notes(defined)))


def _find_archive(directory: Path, library: Path | None) -> Path:
    if library is not None:
        if not library.is_file():
            raise BadInputError(f"--tflm-library {library}: no such file", hints=[EXPECTED])
        return library.resolve()
    walked = itertools.islice(os.walk(directory), _MAX_FOLDERS)
    found = [(Path(folder) / ARCHIVE).resolve() for folder, _, names in walked if ARCHIVE in names]
    if not found:
        raise BadInputError(f"--tflm {directory}: no {ARCHIVE} below it", hints=[EXPECTED])
    if len(found) > 1:
        raise BadInputError(
            f"--tflm {directory}: {len(found)} archives below it",
            hints=[f"choose with --tflm-library: {path}" for path in sorted(found)[:8]],
        )
    return found[0]


def _find_headers(directory: Path, archive: Path) -> tuple[Path, ...]:
    roots = [directory.resolve(), directory.resolve() / "include", *list(archive.parents)[:6]]
    root = next((path for path in roots if (path / _INTERPRETER).is_file()), None)
    if root is None:
        raise BadInputError(f"--tflm {directory}: {_INTERPRETER} is not in it", hints=[EXPECTED])
    includes = [root]
    for name, probe in _PROBES.items():
        places = [base / folder / name for base in (root, *roots) for folder in _THIRD_PARTY]
        place = next((path for path in places if (path / probe).is_file()), None)
        inside = root / "flatbuffers" / "flatbuffers.h" if name == "flatbuffers" else root / "fixedpoint"
        if place is not None:
            includes.append(place / "include" if name == "flatbuffers" else place)
        elif not inside.exists():
            raise BadInputError(
                f"--tflm {directory}: the headers of {name} are not in it",
                hints=[f"TFLM's make puts them into {_THIRD_PARTY[0]}/{name}", EXPECTED],
            )
    return tuple(includes)


def _check_architecture(archive: Path) -> None:
    text = _tool("readelf", "-A", str(archive))
    seen = False
    for part in re.split(r"^File: ", text, flags=re.MULTILINE)[1:]:
        member = part.partition("\n")[0].strip()
        cpu = re.search(r"Tag_CPU_arch: (\S+)", part)
        if cpu is None:
            continue
        seen = True
        if cpu[1] not in _COMPATIBLE_CPUS or "Tag_CPU_arch_profile: Microcontroller" not in part:
            raise BadInputError(
                f"{member}: built for architecture {cpu[1]}, Cortex-M55 is {_OWN_CPU}", hints=[EXPECTED]
            )
        if cpu[1] != _OWN_CPU:
            raise BadInputError(
                f"{member}: built for {cpu[1]} (an older Cortex-M): it would link, but use none of Cortex-M55's "
                "vector instructions",
                hints=["build TFLM with TARGET_ARCH=cortex-m55"],
            )
        if "Tag_ABI_VFP_args: VFP registers" not in part:
            raise BadInputError(
                f"{member}: built for soft-float calls, this firmware passes floats in registers",
                hints=["build TFLM with -mfloat-abi=hard"],
            )
    if not seen:
        raise BadInputError(f"{archive}: no objects for Arm in it", hints=[EXPECTED])


def _symbols(archive: Path) -> dict[str, _Member]:
    """Symbols per member of the archive, named as the linker sees them."""
    members: dict[str, _Member] = {}
    current = _Member()
    for line in _tool("nm", str(archive)).splitlines():
        if line.endswith(":"):
            current = members.setdefault(line[:-1], _Member())
        elif match := re.fullmatch(r"\s*(?:[0-9a-f]+)?\s+([A-Za-z]) (\S+)", line):
            (current.undefined if match[1] in "Uvw" else current.defined).add(match[2])
    return members


def _check_kernel(archive: Path, members: dict[str, _Member]) -> None:
    """The stub of the ethos-u kernel has the same symbol; only the real one calls the driver."""
    kernels = [member for member in members.values() if "_ZN6tflite15Register_ETHOSUEv" in member.defined]
    called = set[str]().union(*(member.undefined for member in kernels))
    if "ethosu_invoke_v3" in called:
        return
    old = sorted(called & {"ethosu_invoke", "ethosu_invoke_v2"})
    if old:
        problem = f"its ethos-u kernel calls {old[0]}, which drivers have not had since 2021"
    else:
        problem = "its ethos-u kernel is " + ("the stub that runs nothing" if kernels else "missing")
    raise BadInputError(f"{archive}: {problem}", hints=["build TFLM with CO_PROCESSOR=ethos_u", EXPECTED])


def _check_interpreter(archive: Path, defined: set[str]) -> None:
    constructors = [name for name in defined if name.startswith("_ZN6tflite16MicroInterpreterC")]
    if not constructors:
        raise BadInputError(f"{archive}: no MicroInterpreter in it", hints=[EXPECTED])
    if any("ErrorReporter" in name for name in constructors):
        raise BadInputError(
            f"{archive}: its MicroInterpreter takes an ErrorReporter, which is the interface before October 2022",
            hints=["a newer TFLM is needed"],
        )


def _notes(defined: set[str]) -> list[str]:
    notes = []
    if all(symbol in defined for symbol in _DRIVER_SYMBOLS):
        notes.append("the library brings an NPU driver of its own; this project's driver stands in front of it")
    if "Reset_Handler" in defined:
        notes.append("the library brings a reset handler; this project's stands in front of it")
    if "RegisterDebugLogCallback" in defined:
        notes.append("the library's DebugLog has a callback, which is connected to the UART")
    return notes


def _tool(name: str, *arguments: str) -> str:
    program = shutil.which(f"arm-none-eabi-{name}")
    if program is None:
        raise NotInstalledError(
            f"arm-none-eabi-{name} is not installed (not found on PATH)",
            hints=["sudo apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi cmake"],
        )
    try:
        done = run([program, *arguments], timeout_s=_TIMEOUT_S, apart=True)
    except NotInstalledError as error:
        raise BadInputError(f"{arguments[-1]}: {program} cannot read it: {error.__cause__}") from error
    if done.timed_out:
        raise BadInputError(f"{arguments[-1]}: {program} cannot read it within {_TIMEOUT_S} s")
    if done.status != 0:
        lines = done.errors.strip().splitlines()
        raise BadInputError(
            f"{arguments[-1]}: not an archive that can be read: {lines[-1] if lines else 'no message'}",
            hints=[EXPECTED],
        )
    return done.output
