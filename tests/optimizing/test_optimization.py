"""``optimize`` from model to document, with the real Vela and the NPU model."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from optimizing.attention_network import attention_network, plain_network

from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.optimizing import optimization
from deploy.optimizing.network_trials import NetworkTrials
from deploy.optimizing.optimization import Optimized, optimize
from deploy.rewriting import rewriting
from deploy.rewriting.site import Form, Site
from deploy.tflite import Model
from deploy.tflite.emitter import Emitter


def wrong(emit: Emitter, inputs: tuple[int, ...], output: int) -> None:
    """A form of a global average that errs: the maximum of every column."""
    row = emit.pool("MAX_POOL_2D", inputs[0], (32, 1))
    quantization = emit.tensor(output).quantization
    mean = emit.sum_of_window(row, np.ones((1, 32), np.int8), 1 / 32, quantization=quantization)
    emit.reshape(mean, emit.tensor(output).shape, output)


def optimized(model: Model, npu: str = "U55-128", **options: Any) -> Optimized:
    options = {"tolerance": 1.0, "source": "test", **options}
    return optimize(model, compile_options(npu_named(npu)), random_inputs(model, 3), **options)


def value(figures: tuple[Any, ...], name: str) -> float:
    return next(figure.value for figure in figures if figure.name == name)


@pytest.mark.parametrize("npu", ["U55-128", "U65-256"])
def test_attention_as_papers_write_it_takes_half_the_cycles_and_no_cpu(npu: str) -> None:
    model = attention_network()
    result = optimized(model, npu)
    document = result.document
    assert document.verdict == "pass", document.reason
    assert value(document.before, "cpu_operators") == 1
    assert value(document.after, "cpu_operators") == 0
    assert value(document.after, "total_cycles") < 0.6 * value(document.before, "total_cycles")
    assert {record.rule for record in document.rewrites} >= {
        "mean over channels",
        "maximum over channels",
        "convolution of few channels",
    }
    assert all(output.within(1) for output in document.outputs)
    assert sum(output.elements for output in document.npu_outputs) == 3 * 32
    assert all(output.mismatches == 0 for output in document.npu_outputs)
    # What the document says is what a compilation of the file says.
    again = NetworkTrials(result.model, "again", compile_options(npu_named(npu))).compiled(
        tflite.load(result.model.content)
    )
    assert again.figure("total_cycles") == value(document.after, "total_cycles")


def test_what_was_won_at_the_places_adds_up_to_what_the_network_won() -> None:
    document = optimized(attention_network()).document
    won = sum(record.before.cycles - record.after.cycles for record in document.rewrites)
    total = value(document.before, "total_cycles") - value(document.after, "total_cycles")
    assert won == pytest.approx(total, rel=0.1)


def test_with_exact_every_output_is_the_same_integer() -> None:
    document = optimized(attention_network(), exact=True, tolerance=0.0).document
    assert document.verdict == "pass"
    assert all(record.exact for record in document.rewrites)
    assert sum(output.mismatches for output in document.outputs) == 0


def test_a_model_with_nothing_to_win_stays_as_it_is() -> None:
    model = plain_network()
    result = optimized(model)
    assert result.document.verdict == "unchanged"
    assert result.model.content == model.content
    assert result.document.rewrites == ()


def test_what_leaves_the_tolerance_is_left_out_and_named() -> None:
    """No model is known whose means differ surely, so the form that is used here errs by construction."""
    model = attention_network()

    def errs(site: Site) -> Site:
        return dataclasses.replace(site, forms=(Form("wrong", wrong, exact=False),))

    rules = [lambda graph: (errs(site) for site in rewriting.ALL[2](graph)), *rewriting.ALL]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewriting.find, "__defaults__", (rules,))
        document = optimized(model).document
    assert document.verdict == "pass"
    assert [(left.rule, left.form) for left in document.left_out] == [("global average", "wrong")]
    assert document.left_out[0].max_lsb > 1
    assert "global average" not in {record.rule for record in document.rewrites}
    assert all(output.within(1) for output in document.outputs)


def test_a_form_that_is_wrongly_called_exact_is_found_out() -> None:
    def errs(site: Site) -> Site:
        return dataclasses.replace(site, forms=(Form("wrong", wrong),))

    rules = [lambda graph: (errs(site) for site in rewriting.ALL[2](graph))]
    model = attention_network()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rewriting.find, "__defaults__", (rules,))
        result = optimized(model)
    assert result.document.verdict == "unchanged"
    assert result.model.content == model.content
    assert [left.rule for left in result.document.left_out] == ["global average"]


def test_an_npu_that_disagrees_fails_and_keeps_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The NPU model has no known fault to provoke, so its answer is bent."""
    model = attention_network()
    real = optimization.on_npu

    def bent(*arguments: Any) -> Any:
        name, outputs = real(*arguments)
        return name, tuple(output.model_copy(update={"max_lsb": 7.0, "mismatches": 3}) for output in outputs)

    monkeypatch.setattr(optimization, "on_npu", bent)
    result = optimized(model)
    assert result.document.verdict == "fail"
    assert "LiteRT" in result.document.reason
    assert result.model.content == model.content


def test_rewritten_models_for_u85_run_on_the_npu_model_too() -> None:
    document = optimized(attention_network(), "U85-256").document
    assert document.verdict == "pass"
    assert [output.mismatches for output in document.npu_outputs] == [0]
    assert document.npu_reference == "LiteRT BUILTIN_REF"


def test_a_compiled_model_is_refused() -> None:
    from deploy.optimizing.network_trials import NetworkTrials as Compiler

    options = compile_options(npu_named("U55-128"))
    compiled = Compiler(plain_network(), "test", options).compiled(plain_network()).model
    with pytest.raises(BadInputError, match="compiled by Vela already"):
        optimized(compiled)
