"""The faults that TensorFlow sees, apart from the others: with it imported these would take longer."""

from collections.abc import Callable

import pytest

from .campaign import FAULTS, inject
from .sandbox import Parts
from .table import Fault
from .test_faults import marked, noted

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize("fault", [marked(fault) for fault in FAULTS if fault.tensorflow])
def test_the_fault_is_detected_and_nothing_is_left(
    fault: Fault,
    parts: Parts,
    capfd: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    result = noted(inject(fault, parts, capture=lambda: "".join(capfd.readouterr())), record_property)
    assert not result.undetected
    assert not result.left
