"""The tables of the instruction sets are whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from deploy.hardware.npus import Npu, modelled
from deploy.npu import Architecture
from deploy.npu.instruction_set import InstructionSet
from deploy.npu.stream import u55_commands, u85_commands
from deploy.npu.u55 import U55
from deploy.npu.u85 import U85

TABLES = pytest.mark.parametrize(
    ("table", "one_word", "two_words"),
    [
        (U55, u55_commands.Cmd0, u55_commands.Cmd1),
        (U85, u85_commands.Cmd0, u85_commands.Cmd1),
    ],
    ids=["U55", "U85"],
)


@TABLES
def test_every_command_that_is_no_register_has_a_meaning(
    table: InstructionSet, one_word: type, two_words: type
) -> None:
    for code in one_word:  # type: ignore[attr-defined]
        known = table.started_by(code) is not None or table.ignores(code) or code is table.stop
        assert known == code.name.startswith("NPU_OP_"), code.name
    others = [code.name for code in two_words if code.name.startswith("NPU_OP_")]  # type: ignore[attr-defined]
    assert set(others) == set(table.refused)
    assert not any(table.started_by(code) or table.ignores(code) for code in two_words)  # type: ignore[attr-defined]


@TABLES
def test_a_kind_is_found_by_its_commands_and_by_its_operations(
    table: InstructionSet, one_word: type, two_words: type
) -> None:
    for kind in table.kinds:
        assert [table.started_by(command) for command in kind.commands] == [kind] * len(kind.commands)
        assert table._by_operation[kind.operation] is kind


@pytest.mark.parametrize("npu", modelled(), ids=lambda npu: npu.name)
def test_every_npu_that_is_modelled_has_its_instruction_set(npu: Npu) -> None:
    expected = U85 if npu.family == "U85" else U55
    assert Architecture(npu.family, npu.macs).instruction_set is expected


def test_a_u55_needs_nothing_of_u85() -> None:
    program = (
        "import sys\n"
        "from deploy.npu import Architecture\n"
        "print(Architecture('U55', 128).instruction_set.commands is not None)\n"
        "print([name for name in sys.modules if name.startswith('deploy.npu') and 'u85' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["True", "[]"]
