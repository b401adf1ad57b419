"""Libraries that cannot work are recognised before they are linked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.errors import BadInputError
from deploy.firmware_project.tflm_library import examine

pytestmark = pytest.mark.usefixtures("toolchain")

KERNEL = """
void ethosu_invoke_v3(void);
void _ZN6tflite15Register_ETHOSUEv(void) { ethosu_invoke_v3(); }
"""
STUB = "void _ZN6tflite15Register_ETHOSUEv(void) {}\n"
OLD = KERNEL.replace("ethosu_invoke_v3", "ethosu_invoke_v2")
INTERPRETER = "void _ZN6tflite16MicroInterpreterC1EPKNS_5ModelE(void) {}\n"
ANCIENT = "void _ZN6tflite16MicroInterpreterC1EPKNS_5ModelEPN13ErrorReporterE(void) {}\n"
PRINT = "void _Z11MicroPrintfPKcz(void) {}\n"
DYNAMIC = "void TfLiteIntArrayCreate(void) {}\n"
M55 = ("-mcpu=cortex-m55", "-mfloat-abi=hard")


def tree(root: Path, *parts: str, flags: tuple[str, ...] = M55, name: str = "gen/x/lib") -> Path:
    """A folder that looks like a TFLM tree with one archive, an object per part."""
    for header in (
        "tensorflow/lite/micro/micro_interpreter.h",
        "tensorflow/lite/micro/tools/make/downloads/flatbuffers/include/flatbuffers/flatbuffers.h",
        "tensorflow/lite/micro/tools/make/downloads/gemmlowp/fixedpoint/fixedpoint.h",
    ):
        (root / header).parent.mkdir(parents=True, exist_ok=True)
        (root / header).touch()
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    objects = []
    for number, part in enumerate(parts):
        source, output = folder / f"{number}.c", folder / f"{number}.o"
        source.write_text(part)
        subprocess.run(["arm-none-eabi-gcc", *flags, "-mthumb", "-c", "-o", output, source], check=True)
        objects.append(output)
    archive = folder / "libtensorflow-microlite.a"
    subprocess.run(["arm-none-eabi-ar", "rcs", archive, *objects], check=True)
    return root


def problem(root: Path) -> str:
    with pytest.raises(BadInputError) as caught:
        examine(root)
    assert caught.value.hints
    return caught.value.message


def test_a_complete_build_is_accepted_with_its_headers(tmp_path: Path) -> None:
    found = examine(tree(tmp_path, KERNEL, INTERPRETER, PRINT))
    assert found.library == (tmp_path / "gen/x/lib/libtensorflow-microlite.a").resolve()
    downloads = tmp_path.resolve() / "tensorflow/lite/micro/tools/make/downloads"
    assert found.includes == (tmp_path.resolve(), downloads / "flatbuffers/include", downloads / "gemmlowp")
    assert found.definitions == ("TF_LITE_STATIC_MEMORY",)


def test_definitions_follow_from_how_the_library_was_built(tmp_path: Path) -> None:
    assert examine(tree(tmp_path / "a", KERNEL, INTERPRETER, PRINT, DYNAMIC)).definitions == ()
    stripped = examine(tree(tmp_path / "b", KERNEL, INTERPRETER)).definitions
    assert stripped == ("TF_LITE_STATIC_MEMORY", "TF_LITE_STRIP_ERROR_STRINGS")


def test_a_stub_of_the_kernel_is_recognised(tmp_path: Path) -> None:
    assert "the stub that runs nothing" in problem(tree(tmp_path, STUB, INTERPRETER, PRINT))


def test_an_old_or_missing_kernel_is_recognised(tmp_path: Path) -> None:
    assert "calls ethosu_invoke_v2" in problem(tree(tmp_path / "a", OLD, INTERPRETER))
    assert "kernel is missing" in problem(tree(tmp_path / "b", INTERPRETER))


def test_the_interface_before_2022_is_recognised(tmp_path: Path) -> None:
    assert "takes an ErrorReporter" in problem(tree(tmp_path, KERNEL, ANCIENT))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"), "v7E-M"),
        (("-mcpu=cortex-m55", "-mfloat-abi=soft"), "soft-float"),
        (("-mcpu=cortex-a9", "-mfloat-abi=hard", "-mfpu=vfpv3"), "architecture v7, Cortex-M55"),
    ],
)
def test_objects_for_another_core_or_abi_are_recognised(
    tmp_path: Path, flags: tuple[str, ...], expected: str
) -> None:
    assert expected in problem(tree(tmp_path, KERNEL, INTERPRETER, flags=flags))


def test_one_of_several_archives_has_to_be_chosen(tmp_path: Path) -> None:
    tree(tmp_path, KERNEL, INTERPRETER)
    tree(tmp_path, STUB, INTERPRETER, name="gen/other/lib")
    assert "2 archives below it" in problem(tmp_path)
    chosen = tmp_path / "gen/x/lib/libtensorflow-microlite.a"
    assert examine(tmp_path, chosen).library == chosen.resolve()


def test_a_folder_without_archive_or_headers_says_what_is_expected(tmp_path: Path) -> None:
    assert "no libtensorflow-microlite.a below it" in problem(tmp_path)
    tree(tmp_path, KERNEL, INTERPRETER)
    (tmp_path / "tensorflow/lite/micro/tools/make/downloads/gemmlowp/fixedpoint/fixedpoint.h").unlink()
    assert "the headers of gemmlowp are not in it" in problem(tmp_path)
    (tmp_path / "tensorflow/lite/micro/micro_interpreter.h").unlink()
    assert "micro_interpreter.h is not in it" in problem(tmp_path)


def test_a_file_that_is_no_archive_is_one_message(tmp_path: Path) -> None:
    tree(tmp_path, KERNEL)
    (tmp_path / "gen/x/lib/libtensorflow-microlite.a").write_bytes(b"not an archive" * 100)
    assert "libtensorflow-microlite.a" in problem(tmp_path)
