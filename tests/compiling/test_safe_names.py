"""Any name of a tensor goes through Vela, and comes back as it was."""

from pathlib import Path

import pytest

from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import VELA
from deploy.compiling.safe_names import SafeNames
from deploy.hardware.npus import npu_named
from deploy.tflite.renaming import with_names


def named(tiny_tflite: Path, behind: str) -> tflite.Model:
    return tflite.load(with_names(tiny_tflite.read_bytes(), lambda name: name + behind))


def test_new_names_change_nothing_else(tiny_tflite: Path) -> None:
    old, new = tflite.read(tiny_tflite), named(tiny_tflite, ", new")
    assert [each.name for each in new.tensors] == [f"{each.name}, new" for each in old.tensors]
    assert (new.operators, new.inputs, new.outputs, new.signature) == (
        old.operators,
        old.inputs,
        old.outputs,
        old.signature,
    )
    back = tflite.load(with_names(new.content, lambda name: name.removesuffix(", new")))
    assert back.tensors == old.tensors


def test_ordinary_names_stay(tiny_tflite: Path) -> None:
    model = tflite.read(tiny_tflite)
    assert SafeNames.of(model).given == {}
    assert SafeNames.of(model).hidden(model.content) is model.content


def test_safe_names_are_unique(tiny_tflite: Path) -> None:
    content = with_names(tiny_tflite.read_bytes(), lambda name: "a," if "MatMul" in name else "a__0")
    model = tflite.load(content)
    names = SafeNames.of(model)
    hidden = tflite.load(names.hidden(content))
    assert len({each.name for each in hidden.tensors}) == len({each.name for each in model.tensors})
    assert tflite.load(names.restored(hidden.content)).tensors == model.tensors


@pytest.mark.parametrize(
    "behind", [", b", "\rb", "\n\n", '"quoted"', "]]>", "\x00\x1b[31m", "\N{SNOWMAN}", "x" * 100_000]
)
def test_a_model_with_such_names_compiles(tiny_tflite: Path, behind: str) -> None:
    model = named(tiny_tflite, behind)
    compiled = VELA.compile(model, compile_options(npu_named("U55-128")))
    given = {model.tensors[index].name for index in (*model.inputs, *model.outputs)}
    assert {compiled.model.tensors[i].name for i in (*compiled.model.inputs, *compiled.model.outputs)} == given
    assert all(each.placement == "NPU" and each.name.endswith(behind) for each in compiled.placement.operators)
    assert sum(each.npu_cycles or 0 for each in compiled.placement.operators) > 0
