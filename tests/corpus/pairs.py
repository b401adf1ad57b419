"""Runs one network on one NPU: compiled for every memory mode that applies, compared with both oracles."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy import tflite
from deploy.chatter import silenced
from deploy.compiling.vela_config import CONFIG_FILE, check_combination, installed_config
from deploy.debug_database import DebugDatabase, read_debug_database
from deploy.errors import BadInputError, DeployError, NotInstalledError, TargetError
from deploy.hardware.npus import Npu, modelled, npu_named
from deploy.judging.comparison import compare_outputs
from deploy.judging.inputs import random_inputs
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.known_differences import summarise
from deploy.judging.operator_result import OperatorResult
from deploy.judging.oracles import Oracle, TflmKernels, tflm_installed
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample, stacked, unstacked
from deploy.npu.errors import UnsupportedError
from deploy.tflite import Model
from deploy.verifying.channel_scales import compare_scales, with_scale_differences
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.layer_walk import walk
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import NpuInference

NPUS = tuple(npu.name for npu in modelled())
INPUTS = 4
ONE_BY_ONE = "LiteRT operator by operator"
"""What a network equals whose operators each compute, from the NPU's values, what LiteRT's kernels compute."""


@dataclass
class Row:
    """One line of the table: a network on an NPU in a memory mode.

    Attributes:
        network: name.
        npu: ``U55-128`` and so on.
        memory_mode: section of Vela's configuration; several that give the same file are joined by ``+``.
        status: ``exact`` (equals an oracle, or LiteRT's kernels one by one where those do not run it as a whole),
            ``explained`` (it does not, but all operators that differ have known causes), ``unexplained`` (an
            operator has none, whatever the outputs say), ``cpu only`` (Vela leaves all of it on the CPU),
            ``uncompiled`` (Vela refuses the network), ``refused`` (the NPU model refuses an operation, and deploy
            names the defect of Vela in that one), ``no oracle`` or ``error``.
        agrees_with: the oracles that agree to the last bit.
        mismatches: elements that differ from the nearest oracle.
        max_lsb: largest difference from it.
        elements: elements compared.
        npu_operators: operators of the source model that left a result of the NPU.
        reason: why it is not exact.
    """

    network: str
    npu: str
    memory_mode: str
    status: str
    agrees_with: str = ""
    mismatches: int = 0
    max_lsb: float = 0.0
    elements: int = 0
    npu_operators: int = 0
    reason: str = ""

    def cells(self) -> dict[str, Any]:
        """Column -> value."""
        return asdict(self)


@dataclass
class Network:
    """A converted network with what its oracles compute for the inputs of the corpus.

    Attributes:
        name: of the network.
        path: its ``.tflite``.
        samples: inputs.
        expected: oracle -> outputs per input.
        refusals: oracle -> why it cannot run the network.
    """

    name: str
    path: Path
    samples: tuple[Sample, ...] = ()
    expected: dict[str, list[Sample]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Ask the oracles."""
        self.model = tflite.read(self.path)
        self.samples = corpus_inputs(self.model)
        self._ask_all()
        if not self.expected:
            # Logarithms and roots refuse negative numbers.
            self.samples = tuple(
                {name: _positive(array) for name, array in sample.items()} for sample in self.samples
            )
            self._ask_all()

    def _ask_all(self) -> None:
        process = KernelProcess()
        self._ask(ReferenceKernels.name, ReferenceKernels, process)
        if tflm_installed():
            self._ask(TflmKernels.name, TflmKernels, process)

    def _ask(self, name: str, kernels: type[ReferenceKernels] | type[TflmKernels], process: KernelProcess) -> None:
        try:
            with silenced():  # TFLM says why on standard error
                oracle: Oracle = kernels(self.model, process=process)
                self.expected[name] = [oracle.run(sample) for sample in self.samples]
        except (BadInputError, NotInstalledError) as error:
            self.refusals[name] = error.message


def corpus_inputs(model: Model) -> tuple[Sample, ...]:
    """Four inputs: uniform, only extremes, all at the maximum, and a narrow range around zero."""
    samples = [dict(sample) for sample in random_inputs(model, INPUTS, seed=7).samples]
    for name, array in samples[1].items():
        samples[1][name] = np.where(array > np.median(array), *_limits(array)).astype(array.dtype)
        samples[2][name] = np.full_like(array, _limits(array)[0])
        samples[3][name] = (samples[3][name] / 16).astype(array.dtype)
    return tuple(samples)


def _positive(array: NDArray[Any]) -> NDArray[Any]:
    """At least a 64th of the type's range."""
    if array.dtype.kind not in "iu":
        return np.abs(array)
    largest = np.iinfo(array.dtype).max
    return np.clip(np.abs(array.astype(np.int64)), largest // 64 + 1, largest).astype(array.dtype)


def _limits(array: NDArray[Any]) -> tuple[float, float]:
    if array.dtype.kind in "iu":
        return np.iinfo(array.dtype).max, np.iinfo(array.dtype).min
    return float(array.max()), float(array.min())


def memory_modes(npu: Npu) -> list[str]:
    """The memory modes that Vela accepts for an NPU."""
    found = []
    for mode in installed_config().memories:
        try:
            check_combination(npu, npu.system_config, mode)
        except BadInputError:
            continue
        found.append(mode)
    return found


def run_network(name: str, path: Path, npus: tuple[str, ...] = NPUS, modes: int | None = None) -> list[Row]:
    """All rows of a network.

    Args:
        name: of the network.
        path: its ``.tflite``.
        npus: which NPUs.
        modes: how many memory modes of each; all when None.
    """
    network = Network(name, path)
    rows: list[Row] = []
    for npu_name in npus:
        npu = npu_named(npu_name)
        known: dict[str, Row] = {}
        for mode in memory_modes(npu)[:modes]:
            with tempfile.TemporaryDirectory(prefix="deploy-corpus-") as folder:
                try:
                    compiled, debug = compile_quickly(path, npu, mode, Path(folder))
                except Exception as error:
                    rows.append(Row(name, npu_name, mode, "uncompiled", reason=f"{type(error).__name__}: {error}"))
                    continue
                digest = hashlib.sha256(compiled.read_bytes()).hexdigest()
                if digest in known:
                    known[digest].memory_mode += f"+{mode}"
                    continue
                known[digest] = _row(network, npu, mode, compiled, debug)
        rows += known.values()
    return rows


def compile_quickly(path: Path, npu: Npu, mode: str, folder: Path) -> tuple[Path, Path]:
    """Run Vela inside this process, which saves its start: hundreds of networks are compiled.

    Returns:
        The compiled file and the debug database.
    """
    from ethosu.vela import vela

    words = [str(path), "--output-dir", str(folder), "--accelerator-config", npu.accelerator]
    words += ["--config", CONFIG_FILE, "--system-config", npu.system_config, "--memory-mode", mode]
    words += ["--enable-debug-db", "--verbose-performance"]
    with silenced():
        try:
            vela.main(words)
        except SystemExit as error:
            raise RuntimeError(f"Vela ended with status {error.code}") from error
    return folder / f"{path.stem}_vela.tflite", folder / f"{path.stem}_debug.xml"


def _row(network: Network, npu: Npu, mode: str, compiled: Path, debug: Path) -> Row:
    row = Row(network.name, npu.name, mode, "error")
    try:
        database = read_debug_database(debug)
        capture = LayerCapture(network.model, database)
        inputs = stacked(network.samples)
        model = tflite.read(compiled)
        inference = NpuInference(model, npu)
        try:
            outputs = inference.run_batch(inputs, capture)
        except TargetError as error:
            if not isinstance(error.__cause__, UnsupportedError):
                raise
            defects = _defects(network.model, inference, database, error.__cause__.offset)
            if not defects:
                raise
            row.status, row.reason = "refused", f"{error.message}; {'; '.join(defects)}"
            return row
        row.npu_operators = len(capture.operations)
        _compare(row, network, unstacked(outputs, len(network.samples)))
        scales = compare_scales(network.model, model, inference.programs(), database)
        results = with_scale_differences(
            walk(network.model, capture, inputs, outputs).results, network.model, scales
        )
        if row.status == "unexplained" and each_equals_litert(network, results):
            row.status, row.agrees_with = "exact", ONE_BY_ONE
        elif row.status == "unexplained" or not all(result.explained for result in results):
            row.reason = "; ".join(summarise(results))
            known = all(result.explained for result in results) and any(result.mismatches for result in results)
            row.status = "explained" if known else "unexplained"
        if row.status == "exact" and all(operator.code != "ethos-u" for operator in model.operators):
            row.status = "cpu only"
        return row
    except DeployError as error:
        row.reason = f"{type(error).__name__}: {error.message}"
        return row
    except Exception as error:  # a crash of the model under test is a row of the table, not the end of the run
        row.reason = f"crash: {type(error).__name__}: {error}"
        return row


def each_equals_litert(network: Network, results: Sequence[OperatorResult]) -> bool:
    """Whether all of a network that LiteRT does not run as a whole is what its kernels compute one by one."""
    compared = {result.index for result in results}
    compared |= {int(absorbed.split()[0]) for result in results for absorbed in result.absorbs}
    whole = ReferenceKernels.name in network.expected
    every = compared == {operator.index for operator in network.model.operators}
    return not whole and every and not any(result.mismatches or not result.explained for result in results)


def _defects(source: Model, inference: NpuInference, database: DebugDatabase, offset: int | None) -> list[str]:
    """What the commands tell of the operator at an offset of the stream, where Vela is known to miscompile it."""
    there = {command.result for (_, at), command in database.commands.items() if at == offset}
    found = with_miscompilations((), source, operations_of(inference.programs(), database))
    return [result.miscompiled.what for result in found if result.miscompiled and result.index in there]


def _compare(row: Row, network: Network, answers: list[Sample]) -> None:
    """Fill in how near the nearest oracle is."""
    if not network.expected:
        row.status = "no oracle"
        row.reason = "; ".join(f"{name}: {reason}" for name, reason in network.refusals.items())
        return
    agreeing, nearest = [], None
    for name, expected in network.expected.items():
        outputs = compare_outputs(network.model, answers, expected)
        mismatches = sum(output.mismatches for output in outputs)
        largest = max(np.inf if output.max_lsb is None else output.max_lsb for output in outputs)
        if mismatches == 0:
            agreeing.append(name)
        if nearest is None or (mismatches, largest) < nearest:
            nearest = mismatches, largest
        row.elements = sum(output.elements for output in outputs)
    row.agrees_with = "+".join(agreeing)
    row.status = "exact" if agreeing else "unexplained"
    row.mismatches, row.max_lsb = nearest or (0, 0.0)


def walk_exact(network: Network, npu: Npu, mode: str) -> Iterator[OperatorResult]:
    """The operators of a network compared one by one, for tests of the comparison itself."""
    with tempfile.TemporaryDirectory(prefix="deploy-corpus-") as folder:
        compiled, debug = compile_quickly(network.path, npu, mode, Path(folder))
        capture = LayerCapture(network.model, read_debug_database(debug))
        inputs = stacked(network.samples)
        outputs = NpuInference(tflite.read(compiled), npu).run_batch(inputs, capture)
        yield from walk(network.model, capture, inputs, outputs).results
