"""run-fvp on programs that answer as Arm's FVPs do: which board, which firmware, which mode, how long.

Where outputs are needed the open machine computes them behind Arm's name; Arm's own FVP was not available.
"""

import json
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from trained_networks import MLPERF_TINY

from deploy.build_folder import BuildFolder
from deploy.cli.main import run
from deploy.errors import BadInputError
from deploy.hardware.fvps import default_fvp
from deploy.hardware.npus import npu_named
from deploy.simulators.fvp_locate import Simulator
from deploy.targets.firmware_choice import choose_firmware

ARM = "Fast Models [11.27.42 (Dec  9 2024)]"


def fake(folder: Path, name: str, version: str = ARM, body: str = "") -> str:
    """A program with Arm's name and version that notes its arguments, a line each, in `words`.

    `words` is exchanged whole: inputs boot side by side, and the first failure ends the others as they begin.
    """
    body = body or f'exec {sys.executable} -P -m deploy.corstone --npu-family U55 "$@"'
    path = folder / name
    path.write_text(
        f'#!/bin/bash\n[ "$1" = --version ] && {{ echo "{version}"; exit; }}\n'
        f'printf "%s\\n" "$@" > {folder}/words.$$ && mv {folder}/words.$$ {folder}/words\n{body}\n'
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def cycles_label(document: dict) -> str:
    return next(f["label"] for f in document["figures"] if f["name"] == "target_npu_active_cycles")


@pytest.mark.system
@pytest.mark.parametrize(("option", "label"), [([], "estimate"), (["--timing"], "simulated")])
def test_cycles_are_called_simulated_only_where_they_were_counted(
    built: Path, in_folder: Path, option: list[str], label: str
) -> None:
    path = fake(in_folder, "FVP_Corstone_SSE-300_Ethos-U55")
    assert run(["run-fvp", str(built), "--fvp", path, "--json", "v.json", "-q", *option]) == 0
    document = json.loads((in_folder / "v.json").read_text())
    assert document["platform"]["kind"] == "arm"
    assert document["platform"]["timing"] is bool(option)
    assert cycles_label(document) == label
    assert document["versions"]["fast-models"] == "11.27.42"
    words = (in_folder / "words").read_text().splitlines()
    assert ("ethosu.extra_args=--fast" in words) is not bool(option)


@pytest.mark.system
def test_an_old_release_gets_its_own_parameter_names(built: Path, in_folder: Path) -> None:
    path = fake(in_folder, "FVP_Corstone_SSE-300_Ethos-U55", "Fast Models [11.12.38 (Nov 10 2020)]")
    assert run(["run-fvp", str(built), "--fvp", path, "-q"]) == 0
    words = (in_folder / "words").read_text()
    assert "ethosu.config=H128" in words
    assert "num_macs" not in words


def test_corstone_310_boots_arms_runner_for_it(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fake(in_folder, "FVP_Corstone_SSE-310", body='for w; do [ -L "$w" ] && readlink "$w"; done; exit 9')
    assert run(["run-fvp", str(built), "--fvp", path]) == 4
    assert "inference_runner-sse-310-" in capsys.readouterr().err


@pytest.mark.system
def test_rendered_firmware_is_for_the_board_that_the_simulator_models(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fake(in_folder, "FVP_Corstone_SSE-310", body='for w; do [ -L "$w" ] && readlink "$w"; done; exit 9')
    assert run(["run-fvp", str(built), "--fvp", path, "--firmware", "npu"]) == 4
    assert "firmware-npu-corstone-310" in capsys.readouterr().err


def test_rendered_firmware_is_refused_for_a_board_of_which_too_little_is_known(built: Path) -> None:
    build, npu = BuildFolder.open(built), npu_named("U55-128")
    fvp = default_fvp("U55")
    unknown = replace(fvp, board=replace(fvp.board, name="Elsewhere", hardware=None))
    simulator = Simulator(("elsewhere",), "arm", ARM, unknown)
    with pytest.raises(BadInputError) as error:
        choose_firmware("npu", build, npu, build.compiled_model, simulator)
    assert error.value.message == (
        "--firmware npu is rendered for Corstone-300, Corstone-310, Corstone-320; elsewhere models Elsewhere"
    )


def test_a_u85_model_runs_on_corstone_320(
    tiny_tflite: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", str(tiny_tflite), "--npu", "U85-256", "-o", "b", "-q"]) == 0
    path = fake(in_folder, "FVP_Corstone_SSE-320", body='for w; do [ -L "$w" ] && readlink "$w"; done; exit 9')
    assert run(["run-fvp", "b", "--fvp", path]) == 4
    assert "inference_runner-sse-320-" in capsys.readouterr().err
    words = (in_folder / "words").read_text()
    assert "mps4_board.subsystem.ethosu.num_macs=256" in words


OPEN_BOARDS = [
    ("U85-256", [], "Open Corstone-320"),
    ("U55-128", ["--fvp", "open:corstone-310"], "Open Corstone-310"),
    ("U65-256", ["--fvp", "open:corstone-310"], "Open Corstone-310"),
]


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize(("npu", "option", "name"), OPEN_BOARDS)
@pytest.mark.parametrize("network", [*MLPERF_TINY, "models:multihead-mobilenetv3"])
def test_networks_pass_on_the_open_boards(
    mlperf_tiny: dict[str, Path], in_folder: Path, network: str, npu: str, option: list[str], name: str
) -> None:
    model = str(mlperf_tiny.get(network, network))
    assert run(["compile", model, "--npu", npu, "--verify", "none", "-o", "b", "-q"]) == 0
    assert run(["run-fvp", "b", "--json", "v.json", "-q", *option]) == 0
    document = json.loads((in_folder / "v.json").read_text())
    assert document["verdict"] == "pass"
    assert document["platform"]["version"].startswith(name)


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize(("npu", "option", "name"), OPEN_BOARDS)
def test_a_build_comes_to_its_verdict_on_the_open_board(
    tiny_tflite: Path,
    in_folder: Path,
    capsys: pytest.CaptureFixture[str],
    npu: str,
    option: list[str],
    name: str,
) -> None:
    assert run(["compile", str(tiny_tflite), "--npu", npu, "-o", "b", "-q"]) == 0
    assert run(["run-fvp", "b", "--verbose", "--json", "v.json", *option]) == 0
    document = json.loads((in_folder / "v.json").read_text())
    assert document["platform"]["version"].startswith(name)
    assert document["platform"]["npu"] == npu
    errors = capsys.readouterr().err
    assert ("BRAM at 0x12000000 is QEMU's 0x11020000" in errors) is (npu == "U85-256")


@pytest.mark.parametrize(
    ("option", "seconds"), [([], 120), (["--timing"], 480), (["--timing", "--timeout", "7"], 7)]
)
def test_the_time_limit_follows_from_the_estimate_and_the_mode(
    built: Path, in_folder: Path, option: list[str], seconds: int
) -> None:
    import shutil

    build = in_folder / "b"
    shutil.copytree(built, build)
    document = json.loads((build / "compile.json").read_text())
    for figure in document["figures"]:
        if figure["name"] == "total_cycles":
            figure["value"] = 7_200_000
    (build / "compile.json").write_text(json.dumps(document))
    path = fake(in_folder, "FVP_Corstone_SSE-300_Ethos-U55", body="exit 9")
    assert run(["run-fvp", "b", "--fvp", path, *option]) == 4
    words = (in_folder / "words").read_text().splitlines()
    limit = int(words[words.index("--timelimit") + 1])
    assert limit == (seconds if option else 120 + 72)
