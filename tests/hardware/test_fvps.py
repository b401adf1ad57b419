"""The boards' files hold what the code asks of their FVPs, and agree with what else the project knows."""

import pytest

from deploy.corstone.links import linked_fvps
from deploy.corstone.parameters import parameter_table
from deploy.corstone.stand_in import named
from deploy.hardware.fvps import Fvp, common, default_fvp, fvps, release_of

FVPS = {f"{fvp.board.name}-{fvp.npu_family}": fvp for fvp in fvps()}


def test_the_five_fvps_are_there_corstone_300_first() -> None:
    assert list(FVPS) == [
        "Corstone-300-U55",
        "Corstone-300-U65",
        "Corstone-310-U55",
        "Corstone-310-U65",
        "Corstone-320-U85",
    ]


@pytest.mark.parametrize("fvp", fvps(), ids=list(FVPS))
def test_releases_stand_newest_first_and_reach_back_to_the_oldest(fvp: Fvp) -> None:
    since = [release.since for release in fvp.releases]
    assert since == sorted(since, reverse=True)
    assert since[-1] == (0, 0)


def test_no_executable_belongs_to_two_fvps() -> None:
    names = [name for fvp in fvps() for name in (*fvp.executables, *fvp.bare_executables)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("fvp", fvps(), ids=list(FVPS))
def test_no_placeholder_is_left_but_those_that_a_run_fills_in(fvp: Fvp) -> None:
    assert "{" not in "".join([*fvp.executables, *fvp.roots])
    for release in fvp.releases:
        for name, value in {**release.macs, **release.functional, **fvp.parameters}.items():
            assert "{" not in fvp.named(name) + value.replace("{macs}", "128")


@pytest.mark.parametrize("family", ["U55", "U65"])
def test_corstone_300_is_taken_for_its_npus(family: str) -> None:
    fvp = default_fvp(family)
    assert fvp.executables[0] == f"FVP_Corstone_SSE-300_Ethos-{family}"
    assert fvp in linked_fvps()


@pytest.mark.parametrize("fvp", linked_fvps(), ids=lambda fvp: fvp.executables[0])
def test_the_open_machine_goes_by_the_names_of_the_fvp_it_stands_in_for(fvp: Fvp) -> None:
    assert fvp.board.open_machine
    assert all(named(name) in ((fvp.board.id, fvp.npu_family), (fvp.board.id, None)) for name in fvp.executables)
    assert all(named(name)[0] == fvp.board.id for name in fvp.bare_executables)
    known = parameter_table(fvp.board.id, fvp.npu_family)
    for release in fvp.releases:
        for name in [*release.macs, *release.functional, *fvp.parameters]:
            assert fvp.named(name) in known


@pytest.mark.parametrize(
    ("line", "release"),
    [
        ("Fast Models [11.27.42 (Dec  9 2024)]", (11, 27)),
        ("Fast Models [11.9.1]", (11, 9)),
        ("Open Corstone-300 0.1.0", None),
    ],
)
def test_the_release_is_read_from_the_version_line(line: str, release: tuple[int, int] | None) -> None:
    assert release_of(line) == release


def test_the_time_limit_grows_with_the_estimate_and_with_accuracy() -> None:
    limit = common().time_limit
    mobilenet = 7_346_172
    assert limit.seconds(0, accurate=True) == limit.base_s
    # Arm documents 2 to 3 minutes for this network: twice that has to be allowed.
    assert limit.seconds(mobilenet, accurate=True) > 2 * 180
    assert limit.base_s < limit.seconds(mobilenet, accurate=False) < limit.seconds(mobilenet, accurate=True)
