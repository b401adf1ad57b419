"""Runs a sweep: quantizes each network once, compiles what is not known yet, puts the table together."""

from __future__ import annotations

import dataclasses
import shlex
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from deploy.build_folder import Figure
from deploy.compiling.compilation import check_model
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.fitting import limit_name, sram_limit
from deploy.dask_cluster import cluster
from deploy.errors import BadInputError
from deploy.executors import Workers, gather
from deploy.inspection import Inspection, look_at_versions, same_versions
from deploy.judging.sample_bytes import pack_samples
from deploy.judging.samples import SampleDigest
from deploy.sweeping import accuracy, jobs
from deploy.sweeping.accuracy import LabelledSource
from deploy.sweeping.axes import Unusable
from deploy.sweeping.cache import Cache, key_of
from deploy.sweeping.documents import PointResult, Skipped, Status, SweepDocument, SweepPoint
from deploy.sweeping.networks import QuantizedNetwork, QuantizeOptions, quantized
from deploy.sweeping.pareto import mark_pareto, objectives
from deploy.zoo.model_source import ModelSource
from deploy.zoo.quantized import check

LIMIT_S = 3600.0
"""Seconds within which some job must end: Vela itself may take a quarter of it, a shared cluster may be busy."""


def opened_cluster(address: str) -> AbstractContextManager[Workers]:
    """The workers of a Dask cluster, all with this computer's Vela and reference kernels.

    Raises:
        BadInputError, NotInstalledError, TargetError: see :func:`deploy.dask_cluster.cluster`.
    """
    return cluster(address, Inspection(look_at_versions, same_versions("ethos-u-vela", "ai-edge-litert")))


@dataclass(frozen=True)
class Plan:
    """What to sweep over."""

    model: str
    sources: tuple[ModelSource | Unusable, ...]
    targets: tuple[CompileOptions, ...]
    skipped: tuple[Skipped, ...]
    quantization: QuantizeOptions
    data: LabelledSource | None = None


@dataclass
class _Outcome:
    """What became of one network: its points, and its accuracy or why there is none."""

    source: ModelSource | Unusable
    network: QuantizedNetwork | None = None
    reason: str = ""
    points: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    known: set[int] = dataclasses.field(default_factory=set)
    chunks: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    no_accuracy: str = ""
    data_notes: tuple[str, ...] = ()


class Sweep:
    """One sweep. Every result is kept in the cache as soon as it arrives."""

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        cache: Cache,
        *,
        say: Callable[[str], None] = lambda _what: None,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._plan, self._workers, self._cache = plan, workers, cache
        self._say, self._on_progress = say, on_progress
        self._lock = threading.Lock()
        self._done, self._total = 0, len(plan.sources) * len(plan.targets)
        self._futures: dict[Future[Any], tuple[dict[int, dict[str, Any]], int]] = {}

    def run(self) -> SweepDocument:
        """Run it.

        Raises:
            BadInputError: the labelled data fits none of the networks, or calibration data is missing.
            NotInstalledError: something that all networks need is missing.
            TargetError: the workers are gone.
        """
        versions = jobs.versions()
        for source in self._plan.sources:
            if isinstance(source, ModelSource):
                check(source, self._plan.quantization.calibration, self._plan.quantization.io)
        self._on_progress(0, self._total)
        outcomes = [self._begin(source) for source in self._plan.sources]
        self._check_data(outcomes)
        for (results, index), result in gather(self._workers, self._futures, limit_s=LIMIT_S):
            results[index] = result
        points = [point for outcome in outcomes for point in self._points(outcome)]
        compared = objectives(points)
        return SweepDocument(
            model=self._plan.model,
            objectives=compared,
            points=mark_pareto(points, compared),
            skipped=self._plan.skipped,
            warnings=tuple(dict.fromkeys(w for outcome in outcomes for w in _warnings(outcome))),
            workers=self._workers.where,
            versions=versions,
        )

    def _begin(self, source: ModelSource | Unusable) -> _Outcome:
        """Quantize a network, and hand out the jobs that it makes; they run while the next one is quantized."""
        if isinstance(source, Unusable):
            self._advance(len(self._plan.targets))
            return _Outcome(source, reason=source.reason)
        outcome = _Outcome(source)
        try:
            if source.name and len(self._plan.sources) > 1:
                self._say(f"preparing {source.name}")
            network = quantized(source, self._plan.quantization, self._cache)
            check_model(network.model, source.text)
        except BadInputError as error:
            self._advance(len(self._plan.targets))
            outcome.reason = error.message
            return outcome
        outcome.network = network
        shared: list[Any] = []  # sent when the first job needs it, which may be never

        def submit(key: str, results: dict[int, dict[str, Any]], index: int, job: Any, *arguments: Any) -> None:
            if not shared:
                shared.append(self._workers.share(network.model.content))
            future = self._workers.executor.submit(job, shared[0], *arguments)
            self._futures[future] = (results, index)
            future.add_done_callback(lambda ended: self._keep(key, ended))

        for index, options in enumerate(self._plan.targets):
            request = jobs.request_of(options)
            key = key_of("point", {"source_sha256": network.sha256, **request})
            known = self._cache.get(key)
            if known is not None and _is_point(known):
                outcome.points[index] = known
                outcome.known.add(index)
                self._advance()
            else:
                submit(key, outcome.points, index, jobs.compile_point, request)
        if self._plan.data is not None:
            self._begin_accuracy(outcome, network, self._plan.data, submit)
        return outcome

    def _begin_accuracy(
        self, outcome: _Outcome, network: QuantizedNetwork, data: LabelledSource, submit: Callable[..., None]
    ) -> None:
        try:
            labelled = accuracy.load_labelled(data, network.model, network.source)
        except BadInputError as error:
            outcome.no_accuracy = error.message
            return
        outcome.data_notes = labelled.notes
        self._total += len(labelled.chunks)
        for index, chunk in enumerate(labelled.chunks):
            content = pack_samples(chunk.samples)
            request = {"source_sha256": network.sha256, "true": chunk.true, "decided by": jobs.kernels()}
            key = key_of("accuracy", {**request, "samples": SampleDigest().add(chunk.samples).hexdigest()})
            known = self._cache.get(key)
            if known is not None and set(known.get("right", ())) == set(chunk.true):
                outcome.chunks[index] = known
                self._advance()
            else:
                submit(key, outcome.chunks, index, jobs.count_right, content, chunk.true)

    def _keep(self, key: str, ended: Future[Any]) -> None:
        """Keep a result the moment it is there, on whatever thread; failures are tried again next time."""
        if ended.cancelled() or ended.exception() is not None:
            return
        result = ended.result()
        if "error" not in result:
            self._cache.put(key, result)
        self._advance()

    def _advance(self, jobs_done: int = 1) -> None:
        with self._lock:
            self._done += jobs_done
            self._on_progress(self._done, self._total)

    def _check_data(self, outcomes: Sequence[_Outcome]) -> None:
        """Data that fits no network at all is a mistake, not a result."""
        usable = [outcome for outcome in outcomes if outcome.network is not None]
        if usable and all(outcome.no_accuracy for outcome in usable):
            raise BadInputError(usable[0].no_accuracy)

    def _points(self, outcome: _Outcome) -> list[SweepPoint]:
        measured = self._accuracy(outcome)
        return [self._point(outcome, index, options, measured) for index, options in enumerate(self._plan.targets)]

    def _accuracy(self, outcome: _Outcome) -> tuple[Figure, ...]:
        results = [outcome.chunks[index] for index in sorted(outcome.chunks)]
        failed = next((result["error"] for result in results if "error" in result), None)
        if failed is not None:
            outcome.no_accuracy = str(failed)
        return accuracy.figures(results) if results and failed is None else ()

    def _point(
        self, outcome: _Outcome, index: int, options: CompileOptions, measured: tuple[Figure, ...]
    ) -> SweepPoint:
        source = outcome.source
        fields: dict[str, Any] = {
            "network": source.name if isinstance(source, ModelSource) else " ".join(source.assignments),
            "assignments": source.assignments,
            "npu": options.npu.name,
            "system_config": options.system_config,
            "memory_mode": options.memory_mode,
            "optimise": options.optimise,
            "command": _command(self._plan, source, options),
        }
        if outcome.network is None:
            return SweepPoint(**fields, status="failed", reason=outcome.reason)
        fields["source_sha256"] = outcome.network.sha256
        raw = outcome.points[index]
        if "error" in raw:
            return SweepPoint(**fields, status="failed", reason=str(raw["error"]))
        result = PointResult.model_validate(raw)
        status, reason = _fits(result, options)
        return SweepPoint(
            **fields,
            status=status,
            reason=reason,
            figures=(*result.figures, *measured),
            cpu_operators=result.cpu_operators,
            compiled_sha256=result.compiled_sha256,
            cached=index in outcome.known,
            warnings=result.warnings,
        )


def _fits(result: PointResult, options: CompileOptions) -> tuple[Status, str | None]:
    limit = sram_limit(options)
    taken = next((figure.value for figure in result.figures if figure.name == "sram_peak"), 0.0)
    if limit is None or taken <= limit:
        return "ok", None
    return "does not fit", f"takes {int(taken):,} bytes of SRAM, {limit_name(options)} is {limit:,}"


def _is_point(kept: dict[str, Any]) -> bool:
    try:
        PointResult.model_validate(kept)
    except ValidationError:
        return False
    return True


def _warnings(outcome: _Outcome) -> list[str]:
    name = outcome.source.name if isinstance(outcome.source, ModelSource) else ""
    found = [*outcome.network.warnings, *outcome.data_notes] if outcome.network else []
    if outcome.no_accuracy:
        found.append(f"no accuracy for {name}: {outcome.no_accuracy}")
    return found


def _command(plan: Plan, source: ModelSource | Unusable, options: CompileOptions) -> str:
    """What compiles one point alone."""
    words = ["deploy", "compile", plan.model]
    for assignment in source.assignments:
        words += ["--set", assignment]
    if isinstance(source, ModelSource) and not source.text.endswith(".tflite") and plan.quantization.calibration:
        words += ["--calibration", plan.quantization.calibration]
    if isinstance(source, ModelSource) and source.signature is not None:
        words += ["--signature", source.signature]
    words += ["--npu", options.npu.name, "--system-config", options.system_config]
    words += ["--memory-mode", options.memory_mode, "--optimise", options.optimise]
    if options.sram_limit is not None:
        words += ["--sram-limit", str(options.sram_limit)]
    return shlex.join(words)
