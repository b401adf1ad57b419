"""The firmware that a session boots: prebuilt, rendered and built for the build, or a file of the user's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.build_folder import BuildFolder
from deploy.corstone.applications import read_application
from deploy.corstone.images import Images, load_images
from deploy.corstone.stand_in import stand_in
from deploy.errors import BadInputError
from deploy.hardware.boards import firmware_boards
from deploy.hardware.npus import Npu
from deploy.simulators.fvp_locate import Simulator
from deploy.targets import runner_firmware
from deploy.targets.runner_operators import lacking
from deploy.targets.simulated_target import RUNNER
from deploy.tflite import Model
from deploy.tflite.state import has_resources

_RENDERED = ("npu", "tflm")


@dataclass(frozen=True)
class Firmware:
    """What is booted.

    Attributes:
        kind: ``runner``, ``npu``, ``tflm`` or ``file``.
        path: its ELF.
    """

    kind: str
    path: Path


def choose_firmware(name: str, build: BuildFolder, npu: Npu, compiled: Model, simulator: Simulator) -> Firmware:
    """The ELF to boot, rendered and built first where that is asked for.

    Args:
        name: ``runner``, ``npu``, ``tflm``, or the path of an ELF.
        build: that it is to run.
        npu: of the build.
        compiled: its compiled model.
        simulator: that boots it.

    Raises:
        BadInputError: there is no such firmware, it does not run on this simulator, or cannot hold the model.
        NotInstalledError: Arm's runner, or what builds firmware, is missing.
    """
    if name == RUNNER:
        if has_resources(compiled):
            raise BadInputError(
                "Arm's prebuilt runner gives TFLM no memory for resource variables, which this model has",
                hints=["--firmware npu (or tflm) runs it", "`deploy verify` runs it on the host"],
            )
        if lacks := lacking(compiled, simulator.fvp.runner.arena_bytes):
            raise BadInputError(
                f"Arm's runner cannot run this build: {'; '.join(lacks)}",
                hints=[
                    "`deploy verify` needs no firmware",
                    "--firmware tflm, with a TFLM that has these kernels",
                ],
            )
        runner_firmware.check_fits(build.document, npu, len(compiled.content), simulator.fvp)
        return Firmware(name, runner_firmware.runner_path(npu, simulator.fvp))
    simulator.check_terminal()
    board = simulator.fvp.board
    if name in _RENDERED:
        if board.hardware is None:
            raise BadInputError(
                f"--firmware {name} is rendered for {', '.join(each.name for each in firmware_boards())}; "
                f"{simulator.executable} models {board.name}",
                hints=["`--firmware runner` runs on every board"],
            )
        from deploy.firmware_project import firmware_build

        make = firmware_build.npu_firmware if name == "npu" else firmware_build.tflm_firmware
        return Firmware(name, make(build, board))
    path = Path(name)
    if not path.is_file():
        raise BadInputError(f"--firmware {name}: no such file", hints=["known besides files: runner, npu, tflm"])
    if simulator.kind == "open":
        open_images(path, simulator)
    elif board.open_machine:
        read_application(path, stand_in(board.id, npu.family).memories)
    return Firmware("file", path)


def open_images(path: Path, simulator: Simulator) -> Images:
    """What the open machine makes of an ELF: of one for a board whose addresses QEMU lacks, a moved copy.

    Raises:
        BadInputError: it does not run on that board, or cannot be moved.
    """
    return load_images((path,), stand_in(simulator.fvp.board.id, simulator.fvp.npu_family))
