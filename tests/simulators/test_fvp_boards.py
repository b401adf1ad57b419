"""The board files hold what the code asks of them, and agree with what else the project knows."""

import pytest

from deploy.corstone.links import launcher_name
from deploy.corstone.parameters import parameter_table
from deploy.hardware import boards as fvp_boards
from deploy.hardware.boards import Board, boards
from deploy.hardware.npus import NPU_CONFIGS

BOARDS = {f"{board.name}-{board.npu_family}": board for board in boards()}


def test_the_five_boards_are_there_corstone_300_first() -> None:
    assert list(BOARDS) == [
        "Corstone-300-U55",
        "Corstone-300-U65",
        "Corstone-310-U55",
        "Corstone-310-U65",
        "Corstone-320-U85",
    ]


@pytest.mark.parametrize("board", boards(), ids=list(BOARDS))
def test_releases_stand_newest_first_and_reach_back_to_the_oldest(board: Board) -> None:
    since = [release.since for release in board.releases]
    assert since == sorted(since, reverse=True)
    assert since[-1] == (0, 0)


@pytest.mark.parametrize("board", boards(), ids=list(BOARDS))
def test_every_npu_of_the_command_line_fits_its_board(board: Board) -> None:
    assert set(board.macs) == {npu.macs for npu in NPU_CONFIGS.values() if npu.family == board.npu_family}


def test_no_executable_belongs_to_two_boards() -> None:
    names = [name for board in boards() for name in board.executables]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", ["U55", "U65"])
def test_the_open_machine_goes_by_the_names_of_the_board_it_stands_in_for(family: str) -> None:
    board = fvp_boards.default_board(family)
    assert board.open
    assert launcher_name(family) == board.executables[0]
    known = parameter_table(family)
    for release in board.releases:
        for name in [*release.macs, *release.functional, *board.parameters]:
            assert board.named(name) in known


@pytest.mark.parametrize(
    ("line", "release"),
    [
        ("Fast Models [11.27.42 (Dec  9 2024)]", (11, 27)),
        ("Fast Models [11.9.1]", (11, 9)),
        ("Open Corstone-300 0.1.0", None),
    ],
)
def test_the_release_is_read_from_the_version_line(line: str, release: tuple[int, int] | None) -> None:
    assert fvp_boards.release_of(line) == release


def test_the_time_limit_grows_with_the_estimate_and_with_accuracy() -> None:
    limit = fvp_boards.common().time_limit
    mobilenet = 7_346_172
    assert limit.seconds(0, accurate=True) == limit.base_s
    # Arm documents 2 to 3 minutes for this network: twice that has to be allowed.
    assert limit.seconds(mobilenet, accurate=True) > 2 * 180
    assert limit.base_s < limit.seconds(mobilenet, accurate=False) < limit.seconds(mobilenet, accurate=True)
