"""The fault campaign, a fault a test; ``make faults`` prints it as a table."""

from collections.abc import Callable

import pytest

from .campaign import FAULTS, Result, inject, table
from .sandbox import Parts, can_mount
from .table import Fault

pytestmark = pytest.mark.early


def marked(fault: Fault) -> object:
    marks = [pytest.mark.system]
    if fault.slow:
        marks.append(pytest.mark.slow)
    if fault.process and "disk_bytes" in fault.process:
        marks.append(pytest.mark.skipif(not can_mount(), reason="a small disk cannot be mounted here"))
    return pytest.param(fault, id=fault.name, marks=marks)


def noted(result: Result, note: Callable[[str, object], None]) -> Result:
    """The same, noted for the table of ``make faults``."""
    note("undetected", result.undetected)
    note("left", result.left)
    note("seconds", result.seconds)
    return result


@pytest.mark.parametrize("fault", [marked(fault) for fault in FAULTS if not fault.tensorflow])
def test_the_fault_is_detected_and_nothing_is_left(
    fault: Fault,
    parts: Parts,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    result = noted(inject(fault, parts, capture=lambda: "".join(capfd.readouterr())), record_property)
    assert not result.undetected
    assert not result.left


def test_names_are_unique_and_there_are_enough() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 260


def test_every_message_is_compared() -> None:
    """What is killed outright says nothing; what it leaves is looked at."""
    assert [fault.name for fault in FAULTS if not (fault.says and all(fault.says)) and not fault.killed] == []


def test_no_fault_may_end_in_success() -> None:
    assert all(fault.status != 0 for fault in FAULTS)


def test_a_command_without_a_fault_counts_as_undetected(parts: Parts) -> None:
    harmless = Fault("report", "nothing", lambda _: ["report", "build/tiny"], 2, ("wrong",))
    result = inject(harmless, parts)
    assert "exit status 0 instead of 2" in result.undetected
    assert "report: nothing: exit status 0" in table([result])


def test_what_is_left_behind_is_seen(parts: Parts) -> None:
    def litter(sandbox: object) -> list[str]:
        import subprocess

        from .sandbox import Sandbox

        assert isinstance(sandbox, Sandbox)
        (sandbox.temporary / "left").touch()
        environment = {**sandbox.environment, "PATH": "/usr/bin:/bin"}
        subprocess.Popen(["sleep", "300"], env=environment, start_new_session=True)
        return ["report", "none"]

    result = inject(Fault("report", "litter", litter, 2, ()), parts)
    assert not result.undetected
    assert [line.split()[0] for line in result.left] == ["process", "file"]
