"""The pipeline behind ``deploy optimize``.

model -> sites and forms -> Vela's estimates -> the cheapest network -> outputs compared -> NPU model -> document
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from deploy.compiling.compilation import check_model
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import VELA, Compiled, Compiler
from deploy.judging.comparison import OutputComparison
from deploy.judging.inputs import InputSet
from deploy.judging.verdict import DEFAULT_TOLERANCE_LSB, judge
from deploy.judging.versions import tool_versions
from deploy.npu.core.library import versions as npu_model_versions
from deploy.optimizing.checking import Original, on_npu
from deploy.optimizing.documents import Estimate, LeftOut, OptimizeDocument, RewriteRecord
from deploy.optimizing.network_trials import NetworkTrials, Outcome
from deploy.rewriting.rewriting import Allow, Change
from deploy.rewriting.trial import Cost
from deploy.tflite import Model
from deploy.tflite.graph import Graph


@dataclass(frozen=True)
class Optimized:
    """A rewritten model, as it was where the verdict is not ``pass``, and what was found out about it."""

    model: Model
    document: OptimizeDocument


def optimize(
    model: Model,
    options: CompileOptions,
    inputs: InputSet,
    *,
    source: str,
    tolerance: float,
    exact: bool = False,
    compiler: Compiler = VELA,
    say: Callable[[str], None] = lambda text: None,
) -> Optimized:
    """Rewrite a model where Vela estimates fewer cycles, and check that it computes what it computed.

    Args:
        model: quantized.
        options: what to compile for.
        inputs: to compare outputs with.
        source: names the model in errors.
        tolerance: largest difference of an output in LSB.
        exact: use only forms that compute the same integers by construction.
        compiler: compiles models.
        say: told what is being done.

    Raises:
        BadInputError: the model cannot be compiled, run or rewritten.
        NotInstalledError: Vela or LiteRT is missing.
        TargetError: the NPU model refuses what Vela made of the rewritten model.
    """
    check_model(model, source)
    Graph(model)  # refuses what cannot be rewritten before any work
    say("compiling the model as it is")
    context = NetworkTrials(model, source, options, compiler)
    before = context.compiled(model)
    say("running it on the kernels")
    original = Original(model, inputs.samples)
    say("trying rewrites")
    outcome, outputs, left_out = _within_tolerance(context, before, original, tolerance, exact=exact)
    npu_reference, npu_outputs = "", tuple[OutputComparison, ...]()
    verdict: Literal["pass", "fail", "unchanged"] = "unchanged"
    reason = "no rewrite pays: every form tried costs as much as the model has now, or more"
    if outcome is not None:
        verdict, reason = "pass", _kept(outputs, inputs, tolerance)
        if options.npu.modelled:
            say("running the rewritten model on the NPU model")
            rewritten, compiled = outcome.rewritten.model, outcome.compiled.model
            npu_reference, npu_outputs = on_npu(
                rewritten, compiled, options.npu, inputs.samples, DEFAULT_TOLERANCE_LSB
            )
            passed, why = judge(npu_outputs, DEFAULT_TOLERANCE_LSB)
            if passed:
                differ = sum(output.mismatches for output in npu_outputs)
                exactly = f"but for 1 LSB in {differ} of them" if differ else "to the last bit"
                reason += f"; the NPU model equals {npu_reference} {exactly}"
            else:
                verdict, reason = "fail", f"the NPU does not compute what {npu_reference} does: {why}"
    elif left_out:
        reason = f"no rewrite pays whose outputs stay within {tolerance:g} LSB"
    result = outcome.rewritten.model if outcome is not None and verdict == "pass" else model
    document = OptimizeDocument(
        verdict=verdict,
        reason=reason,
        model=source,
        npu=options.npu.name,
        system_config=options.system_config,
        memory_mode=options.memory_mode,
        optimise=options.optimise,
        rewrites=_records(outcome) if outcome is not None else (),
        left_out=left_out,
        before=before.figures,
        after=outcome.compiled.figures if outcome is not None else before.figures,
        tolerance=tolerance,
        inputs=len(inputs.samples),
        input_source=inputs.source,
        input_sha256=inputs.sha256,
        kernels=original.kernels,
        outputs=outputs,
        npu_reference=npu_reference,
        npu_outputs=npu_outputs,
        source_sha256=model.sha256,
        sha256=result.sha256,
        versions={**tool_versions(), **npu_model_versions()},
    )
    return Optimized(result, document)


def _within_tolerance(
    context: NetworkTrials, before: Compiled, original: Original, tolerance: float, *, exact: bool
) -> tuple[Outcome | None, tuple[OutputComparison, ...], tuple[LeftOut, ...]]:
    """The cheapest network whose outputs stay within the tolerance.

    Where they do not, inexact forms go, the one that wins least first.
    """
    left_out: list[LeftOut] = []
    while True:
        outcome = context.best(before, _allowing(exact, left_out))
        outputs = original.compare(outcome.rewritten.model) if outcome is not None else ()
        if outcome is None or judge(outputs, tolerance)[0]:
            return outcome, outputs, tuple(left_out)
        most = max(output.max_lsb or 0.0 for output in outputs)
        inexact = _inexact(outcome)
        if not inexact:
            # Exact by construction, and yet not equal: nothing of it may be used.
            used = dict.fromkeys((change.rule, change.form) for change in outcome.rewritten.changes)
            left_out += [LeftOut(rule=rule, form=form, max_lsb=most) for rule, form in used]
            return None, (), tuple(left_out)
        rule, form = inexact[0]
        left_out.append(LeftOut(rule=rule, form=form, max_lsb=most))


def _allowing(exact: bool, left_out: Sequence[LeftOut]) -> Allow:
    gone = {(left.rule, left.form) for left in left_out}
    return lambda rule, form: form.exact or not (exact or (rule, form.name) in gone)


def _inexact(outcome: Outcome) -> list[tuple[str, str]]:
    """Rules and inexact forms, the one that wins least first."""
    won: dict[tuple[str, str], list[Cost]] = {}
    for change, (before, after) in zip(outcome.rewritten.changes, outcome.worth, strict=True):
        if not change.exact:
            won.setdefault((change.rule, change.form), []).append(
                Cost(before.cpu_operators - after.cpu_operators, before.cycles - after.cycles)
            )
    return sorted(won, key=lambda choice: _sum(won[choice]))


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(sum(cost.cpu_operators for cost in costs), sum(cost.cycles for cost in costs))


def _kept(outputs: Sequence[OutputComparison], inputs: InputSet, tolerance: float) -> str:
    elements, different = sum(o.elements for o in outputs), sum(o.mismatches for o in outputs)
    if not different:
        return f"all {elements} output elements of {len(inputs.samples)} inputs are those of the model as it was"
    most = max(output.max_lsb or 0 for output in outputs)
    return f"{different} of {elements} output elements differ by up to {most:g} LSB, within {tolerance:g} LSB"


def _records(outcome: Outcome) -> tuple[RewriteRecord, ...]:
    groups: dict[tuple[str, str], list[tuple[Change, Cost, Cost]]] = {}
    for change, (before, after) in zip(outcome.rewritten.changes, outcome.worth, strict=True):
        groups.setdefault((change.rule, change.form), []).append((change, before, after))
    records = []
    for (rule, form), group in groups.items():
        before, after = _sum([entry[1] for entry in group]), _sum([entry[2] for entry in group])
        records.append(
            RewriteRecord(
                rule=rule,
                form=form,
                exact=group[0][0].exact,
                sites=len(group),
                operators=group[0][0].operators,
                names=tuple(entry[0].name for entry in group),
                before=Estimate(**vars(before)),
                after=Estimate(**vars(after)),
            )
        )
    return tuple(sorted(records, key=lambda record: record.after.cycles - record.before.cycles))
