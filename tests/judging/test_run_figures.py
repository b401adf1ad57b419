"""Every figure of a run says how it was obtained: what a simulator answers is simulated, a board's is measured."""

from typing import Any

import pytest

from deploy.build_folder import CompileDocument, Figure, TensorRecord
from deploy.judging.answer import Answer
from deploy.judging.origin import Platform
from deploy.judging.run_figures import run_figures
from deploy.judging.verdict import Prediction


def figures_on(kind: Any, counters: dict[str, int]) -> dict[str, Figure]:
    output = TensorRecord(
        name="kind", tensor_name="k", shape=(1, 4), dtype="int8", scales=(1.0,), zero_points=(0,), bytes=4
    )
    document = CompileDocument.model_construct(npu="U55-128", outputs=(output,), figures=())
    predictions = [
        Prediction(input=i, output="kind", target="0", probability=1.0, reference="0", true=true)
        for i, true in enumerate(("0", "0", "1"))
    ]
    answers = [Answer(outputs={}, counters=counters, wall_s=1.0)]
    platform = Platform(kind=kind, executable="x", version="x", npu="U55-128")
    found = run_figures(document, platform, None, answers, predictions, elapsed_s=1.0)
    return {figure.name: figure for figure in found}


def told(figure: Figure) -> tuple[float, str]:
    return figure.value, figure.label


@pytest.mark.parametrize(
    ("kind", "accuracy", "cycles"),
    [
        ("open", "simulated", "estimate"),
        ("arm", "simulated", "estimate"),
        ("host", "simulated", "estimate"),
        ("board", "measured", "measured"),
    ],
)
def test_accuracy_and_cycles_are_labelled_by_what_answered(kind: str, accuracy: str, cycles: str) -> None:
    found = figures_on(kind, {"NPU ACTIVE": 100})
    assert told(found["accuracy_kind"]) == (pytest.approx(2 / 3), accuracy)
    assert told(found["target_npu_active_cycles"]) == (100, cycles)
    assert told(found["wall_time"]) == (1.0, "measured")


def test_an_estimate_of_the_open_machine_names_the_memories_that_it_assumes() -> None:
    assumed = "with the memories of Ethos_U55_High_End_Embedded and Shared_Sram"
    assert assumed in figures_on("open", {"NPU ACTIVE": 100})["target_npu_active_cycles"].source
    assert assumed not in figures_on("board", {"NPU ACTIVE": 100})["target_npu_active_cycles"].source
