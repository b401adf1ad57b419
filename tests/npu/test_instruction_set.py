"""The tables of the instruction sets are whole."""

from __future__ import annotations

import pytest

from deploy.hardware.npus import modelled
from deploy.npu import Architecture
from deploy.npu.stream.u55_commands import Cmd0, Cmd1
from deploy.npu.u55 import U55


def test_every_command_that_is_no_register_has_a_meaning() -> None:
    for code in Cmd0:
        known = U55.started_by(code) is not None or U55.ignores(code) or code is U55.stop
        assert known == code.name.startswith("NPU_OP_"), code.name
    assert not any(U55.started_by(code) or U55.ignores(code) for code in Cmd1)


def test_a_kind_is_found_by_its_commands_and_by_its_operations() -> None:
    for kind in U55.kinds:
        assert [U55.started_by(command) for command in kind.commands] == [kind] * len(kind.commands)
        assert U55._by_operation[kind.operation] is kind


@pytest.mark.parametrize("npu", modelled(), ids=lambda npu: npu.name)
def test_every_npu_that_is_modelled_has_its_instruction_set(npu: object) -> None:
    assert Architecture(npu.family, npu.macs).instruction_set is U55  # type: ignore[attr-defined]
