"""What counts as evidence from Arm's runner."""

import base64
import contextlib
import json

import pytest

from deploy.build_folder import CompileDocument, Figure, TensorRecord
from deploy.errors import BadInputError, TargetError
from deploy.hardware.npus import npu_named
from deploy.targets.runner_firmware import check_fits, read_report, runner_path

METRICS = [{"samples": [{"name": "NPU ACTIVE", "value": [1234]}, {"name": "NPU IDLE", "value": [5]}]}]
GOOD = (
    "INFO - 1 output tensor/s worth 14 bytes copied to 0x93000000\r\n"
    f"<metrics>{base64.b64encode(json.dumps(METRICS).encode()).decode()}</metrics>\r\n\x04"
).encode()


def test_a_complete_answer_gives_its_counters() -> None:
    report = read_report(GOOD, expected_bytes=14, npu_expected=True)
    assert report.counters == {"NPU ACTIVE": 1234, "NPU IDLE": 5}


def test_no_eot_is_no_answer_and_shows_the_last_lines() -> None:
    with pytest.raises(TargetError, match="EOT") as error:
        read_report(GOOD[:-1], expected_bytes=14, npu_expected=True)
    assert "14 bytes copied" in error.value.log[-1]


def test_eot_alone_is_no_answer() -> None:
    with pytest.raises(TargetError, match="without copying any output"):
        read_report(b"\x04", expected_bytes=14, npu_expected=True)


def test_fewer_bytes_than_the_outputs_are_no_answer() -> None:
    with pytest.raises(TargetError, match="copied 14 bytes"):
        read_report(GOOD, expected_bytes=15, npu_expected=True)


def test_an_npu_that_did_nothing_is_no_answer() -> None:
    idle = GOOD.split(b"<metrics>", maxsplit=1)[0] + b"\x04"
    with pytest.raises(TargetError, match="NPU did nothing"):
        read_report(idle, expected_bytes=14, npu_expected=True)
    assert read_report(idle, expected_bytes=14, npu_expected=False).counters == {}


@pytest.mark.parametrize("junk", [b"!!!!", b"W10=", b"eyJ4IjogMX0=", b"WzFd", base64.b64encode(b"[" * 5000)])
def test_damaged_metrics_are_no_counters(junk: bytes) -> None:
    uart = GOOD.split(b"<metrics>", maxsplit=1)[0] + b"<metrics>" + junk + b"</metrics>\x04"
    with pytest.raises(TargetError, match="NPU did nothing"):
        read_report(uart, expected_bytes=14, npu_expected=True)


def document(**changes: object) -> CompileDocument:
    tensor = TensorRecord(
        name="x", tensor_name="x", shape=(1, 4), dtype="int8", scales=(1.0,), zero_points=(0,), bytes=4
    )
    fields: dict[str, object] = {
        "model": "m",
        "npu": "U55-128",
        "accelerator": "ethos-u55-128",
        "system_config": "s",
        "memory_mode": "Shared_Sram",
        "optimise": "Performance",
        "source_sha256": "",
        "compiled_sha256": "",
        "inputs": (tensor,),
        "outputs": (tensor,),
        "operators": (),
        "figures": (Figure(name="sram_peak", value=1000.0, unit="bytes", label="estimate"),),
        "versions": {},
    }
    return CompileDocument.model_validate({**fields, **changes})


def test_a_small_model_fits_the_runner() -> None:
    check_fits(document(), npu_named("U55-128"), 1000)


def test_an_arena_larger_than_the_firmwares_is_refused_with_both_sizes() -> None:
    figure = Figure(name="sram_peak", value=float(2 * 1024 * 1024), unit="bytes", label="estimate")
    with pytest.raises(BadInputError, match=r"arena.*needs 2099200 bytes, Arm's runner has 2097152"):
        check_fits(document(figures=(figure,)), npu_named("U55-128"), 1000)


@pytest.mark.parametrize(("constants", "fits"), [(3_000_000, True), (1_900_000, False)])
def test_constants_in_dram_stay_in_the_model_and_take_nothing_of_the_arena(constants: int, fits: bool) -> None:
    sizes = {"dram_peak": 4_000_000, "weights_compressed": constants}
    figures = tuple(Figure(name=name, value=size, unit="bytes", label="estimate") for name, size in sizes.items())
    build = document(npu="U85-256", memory_mode="Dedicated_Sram_384KB", figures=figures)
    with contextlib.nullcontext() if fits else pytest.raises(BadInputError, match=r"arena.*needs 2102048 bytes"):
        check_fits(build, npu_named("U85-256"), 1000)


def test_fast_memory_that_is_too_small_names_the_mode_that_keeps_within() -> None:
    figure = Figure(name="sram_peak", value=400_000, unit="bytes", label="estimate")
    build = document(npu="U85-256", memory_mode="Dedicated_Sram_512KB", figures=(figure,))
    with pytest.raises(BadInputError, match="fast memory needs 400000 bytes, Arm's runner has 393216") as error:
        check_fits(build, npu_named("U85-256"), 1000)
    assert error.value.hints[0] == "`deploy compile ... --memory-mode Dedicated_Sram_384KB`"


def test_a_model_larger_than_its_window_is_refused() -> None:
    with pytest.raises(BadInputError, match="the model needs"):
        check_fits(document(), npu_named("U55-128"), 0x0200_0001)


def test_a_memory_mode_that_the_firmware_was_not_built_for_is_refused() -> None:
    with pytest.raises(BadInputError, match="memory mode Dedicated_Sram"):
        check_fits(document(memory_mode="Dedicated_Sram_384KB"), npu_named("U55-128"), 1000)
    with pytest.raises(BadInputError, match="memory mode Shared_Sram"):
        check_fits(document(npu="U65-256"), npu_named("U65-256"), 1000)


@pytest.mark.parametrize("name", ["U55-128", "U65-256"])
def test_arms_runner_is_found_in_its_wheel(name: str) -> None:
    assert runner_path(npu_named(name)).read_bytes()[:4] == b"\x7fELF"
