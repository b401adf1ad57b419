"""The FVP's command line, word for word, for every FVP and release: compared with the files in tests/golden/fvp.

A changed command line is a changed golden file: ``python tests/simulators/test_fvp_command.py`` writes them anew.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from deploy.hardware.fvps import Fvp, Version, fvps
from deploy.simulators.fvp_command import DataFile, DumpFile, FvpRun, command_line

GOLDEN = Path(__file__).parents[1] / "golden" / "fvp"
RUN = FvpRun(
    firmware=Path("f.elf"),
    macs=256,
    uart_file=Path("u.log"),
    data=(DataFile(Path("m"), 0x9000_0000), DataFile(Path("i"), 0x9200_0000)),
    dumps=(DumpFile(Path("o"), 0x9300_0000, 14),),
    time_limit_s=60,
)
RELEASES: tuple[Version | None, ...] = ((11, 12), (11, 13), (11, 24), (11, 27), None)


def cases() -> list[tuple[str, Fvp, Version | None]]:
    found = []
    for fvp in fvps():
        for release in RELEASES if fvp.board.name == "Corstone-300" else RELEASES[2:]:
            version = "newest" if release is None else f"{release[0]}.{release[1]}"
            found.append((f"{fvp.board.name}-{fvp.npu_family}-{version}".lower(), fvp, release))
    return found


def text(fvp: Fvp, release: Version | None) -> str:
    """The command line of an ordinary run, of one with timing, and of one with a terminal; an option a line."""
    runs = {
        "functional": RUN,
        "with --timing": replace(RUN, timing=True),
        "fed over a terminal": replace(
            RUN,
            uart_file=None,
            terminal_port=5000,
            data=(),
            dumps=(),
            shutdown_on_eot=False,
            files=Path("files"),
        ),
    }
    lines = []
    for title, run in runs.items():
        words = " ".join(command_line([fvp.executables[0]], run, fvp, release))
        lines += [f"# {title}", words.replace(" -", "\n    -"), ""]
    return "\n".join(lines)


@pytest.mark.parametrize(("name", "fvp", "release"), cases(), ids=[case[0] for case in cases()])
def test_the_command_line_is_the_golden_one(name: str, fvp: Fvp, release: Version | None) -> None:
    assert text(fvp, release) == (GOLDEN / f"{name}.txt").read_text()


def test_there_is_no_golden_file_that_nothing_is_compared_with() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {case[0] for case in cases()}


def test_words_of_the_simulator_itself_come_first() -> None:
    words = command_line(["python", "-m", "x"], RUN, fvps()[0], None)
    assert words[:5] == ["python", "-m", "x", "-a", "f.elf"]


def test_a_path_with_braces_stays_as_it_is() -> None:
    run = replace(RUN, uart_file=Path("run/{npu}/{macs.log"))
    assert "mps3_board.uart0.out_file=run/{npu}/{macs.log" in command_line(["FVP"], run, fvps()[0], None)


if __name__ == "__main__":
    for name, fvp, release in cases():
        (GOLDEN / f"{name}.txt").write_text(text(fvp, release))
