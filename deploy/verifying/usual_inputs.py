"""The inputs that a build is tested with where a user names none.

``compile`` chooses them once, from calibration data or by a search, and keeps them in the build folder. A run on a
target takes one of them or more, and at least one that is made up for this run alone: no earlier answer fits it.
"""

from __future__ import annotations

import functools
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deploy.build_folder import (
    SAMPLES,
    BuildFolder,
    OperatorRecord,
    SamplesRecord,
    sha256_of_bytes,
    sha256_of_file,
)
from deploy.errors import BadInputError, DeployError
from deploy.hardware.npus import Npu, npu_named
from deploy.judging.input_ranges import InputRange, input_ranges
from deploy.judging.input_search import Effort, Found, Probe, Response, search, unprobed
from deploy.judging.inputs import InputSet, check_room
from deploy.judging.oracles import outputs_of
from deploy.judging.output_ends import output_ends
from deploy.judging.reference import ReferenceKernels
from deploy.judging.sample_file import MOST_SAMPLES, kept_count, read_samples, samples_content
from deploy.judging.samples import Sample, Stacked
from deploy.tflite import Model
from deploy.verifying.found_inputs import found_before
from deploy.verifying.host_session import HostSession
from deploy.verifying.npu_probe import NpuProbe

if TYPE_CHECKING:
    from deploy.compiling.compiler import Compiled

SEED = 0
"""Of made-up inputs that are to be the same in every run."""

_SEEDS = 1 << 32
_SEARCH_S, _FRESH_S = 0.5, 0.1
"""About how long inputs are searched for, by the NPU model on a desktop computer."""

_FEWEST_TRIALS, _MOST_TRIALS = 2, 128
_WORTH_LOOKING = 4
"""With fewer trials there is next to nothing to choose from."""

_USUAL_MACS = 512_000_000
"""What the inputs of a verification cost together: about a second of the reference kernels."""

FEWEST = 4
"""Inputs of a verification, whatever they cost."""

_SETS_MACS = 1_024_000_000
_FEWEST_SETS, _MOST_SETS = 2, 256
"""Sets of made-up values: one of each kind at least."""


def affordable(macs: float) -> int:
    """How many inputs a verification takes of a network.

    Weights that matter to few inputs are many: of flipped bits that change an output at all, four inputs show two
    thirds, sixteen nine tenths (measured on trained networks, without made-up values inside them).

    Args:
        macs: multiply-accumulates of one inference.
    """
    return max(FEWEST, int(min(MOST_SAMPLES, _USUAL_MACS // max(macs, 1))))


def affordable_sets(macs: float) -> int:
    """On how many sets of made-up values operators are compared.

    A fully connected layer shows the lowest bits of its biases in one set of hundreds.

    Args:
        macs: as of :func:`affordable`.
    """
    return max(_FEWEST_SETS, int(min(_MOST_SETS, _SETS_MACS // max(macs, 1))))


@dataclass(frozen=True)
class Tested:
    """What is tested: the model before and after Vela.

    Attributes:
        source: the quantized model.
        compiled: Vela's output.
        npu: that it was compiled for.
        operators: of the source model.
        session: that runs the compiled model; None until it is made.
    """

    source: Model
    compiled: Model
    npu: Npu
    operators: Sequence[OperatorRecord]
    session: HostSession | None = None

    @classmethod
    def of(cls, build: BuildFolder, session: HostSession | None = None) -> Tested:
        """What a build folder holds, and what runs it already.

        Raises:
            BadInputError: a model is damaged.
        """
        document = build.document
        return cls(build.source_model, build.compiled_model, npu_named(document.npu), document.operators, session)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operator.macs or 0 for operator in self.operators)

    @property
    def usual_count(self) -> int:
        """How many inputs a verification takes: as many as cost little time and room, at least four."""
        return max(FEWEST, min(kept_count(self.source), affordable(self.macs)))

    def effort(self, seconds: float, limit_s: float = math.inf) -> Effort:
        """What the NPU model can try in about so much time; the constants are measured, roughly."""
        elements = sum(tensor.elements for tensor in self.source.input_tensors)
        each = 2e-4 + 5e-5 * len(self.operators) + 1e-9 * self.macs + 5e-8 * elements
        return Effort(int(min(max(seconds / each, _FEWEST_TRIALS), _MOST_TRIALS)), limit_s)


def likely_sample(model: Model, given: Sequence[Sample] = ()) -> Sample:
    """The first input that a large network is going to be tested with; :func:`chosen_inputs` finds it ready then.

    Args:
        model: the source model.
        given: real data.
    """
    return given[0] if given else _made_up(tuple(input_ranges(model).items()), FEWEST, SEED)[0]


def chosen_inputs(compiled: Compiled, limit_s: float, given: InputSet | None = None) -> InputSet:
    """Choose the test inputs of a build.

    Of a large network, whose few trials would take longer than its compilation, they are not tried.

    Args:
        compiled: by Vela.
        limit_s: seconds after which no further inputs are tried.
        given: real data, of which a part is chosen; None for a search.

    Raises:
        BadInputError: the model is damaged.
    """
    tested = Tested(compiled.source, compiled.model, compiled.options.npu, compiled.placement.operators)
    wanted, seen = tested.usual_count, given.samples if given else ()
    if tested.effort(_SEARCH_S).trials >= _WORTH_LOOKING:
        return _searched(tested, wanted, given, limit_s)
    return _source(_unlooked(tested, wanted, SEED, seen[:: max(1, len(seen) // wanted)]), given)


def samples_to_keep(inputs: InputSet, source: Model) -> tuple[bytes, SamplesRecord]:
    """Test inputs as a build folder keeps them: content of the file, and what is to be known of it.

    Args:
        inputs: of :func:`chosen_inputs`.
        source: the model that is compiled.
    """
    content = samples_content(inputs.samples, source, inputs.source)
    return content, SamplesRecord(count=len(inputs.samples), source=inputs.source, sha256=sha256_of_bytes(content))


def as_kept(inputs: InputSet) -> InputSet:
    """Inputs as :func:`usual_inputs` will read them from the build folder."""
    return InputSet(inputs.samples, f"{inputs.source}, kept in {SAMPLES}")


def usual_inputs(build: BuildFolder, count: int | None = None) -> InputSet:
    """The inputs of a verification: those that the build folder keeps, or as many as are wanted made up.

    Args:
        build: that is tested.
        count: how many; None for those that are usual, at least four.

    Raises:
        BadInputError: the file of samples was changed, a model is damaged, or they would take too much memory.
    """
    tested = Tested.of(build)
    wanted = count or tested.usual_count
    check_room(tested.source, wanted)
    kept = _kept(build)
    if kept is None or (count is not None and count > len(kept.samples)):
        return _more(build, tested, wanted, kept) if kept else _searched(tested, wanted, None)
    return InputSet(kept.samples[:wanted], kept.source)


def inputs_with_fresh(
    build: BuildFolder, count: int, seed: int | None = None, session: HostSession | None = None
) -> InputSet:
    """The inputs of a run on a target: some that the build folder keeps, the others made up for this run alone.

    Args:
        build: that is tested.
        count: how many, at least one; at least one of them is fresh.
        seed: of the fresh ones; None for a random one.
        session: with the compiled model, keeping no state; None for one of its own.

    Raises:
        BadInputError: as :func:`usual_inputs`.
    """
    tested, kept = Tested.of(build, session), _kept(build)
    check_room(tested.source, count)
    if kept is None:
        kept = _searched(tested, max(2, count), None)
    known = kept.samples[: count - 1]
    wanted = count - len(known)
    seed = secrets.randbelow(_SEEDS) if seed is None else seed
    # Their answers are to be like none of those that are kept: an earlier run may have given these.
    found = _found(tested, wanted, seed=seed, seconds=_FRESH_S, known=kept.samples)
    source = f"{wanted} made up for this run, seed {seed}"
    return InputSet(
        (*known, *found.samples), f"{kept.source} and {source}" if known else source, fresh=wanted, seed=seed
    )


def _kept(build: BuildFolder) -> InputSet | None:
    record, path = build.document.samples, build.path / SAMPLES
    if record is None or not path.exists():
        return None
    again = ["run `deploy compile` again", "or remove the file: inputs are made up then"]
    if sha256_of_file(path) != record.sha256:
        raise BadInputError(f"{path}: not the file that compile.json describes", hints=again)
    kept = read_samples(path, build.source_model, build.document.source_sha256)
    return as_kept(kept)


def _searched(tested: Tested, wanted: int, given: InputSet | None, limit_s: float = math.inf) -> InputSet:
    """The best of what is given; made-up ones, too, where that is nothing or leaves outputs stuck."""
    looked_at = max(wanted, tested.effort(_SEARCH_S).trials)
    samples = given.samples[:looked_at] if given else ()
    found = _found(tested, wanted, seed=SEED, seconds=_SEARCH_S, limit_s=limit_s, given=samples)
    return _source(found, given)


def _more(build: BuildFolder, tested: Tested, wanted: int, kept: InputSet) -> InputSet:
    """All that are kept, and made-up ones."""
    missing = wanted - len(kept.samples)

    def searched() -> tuple[Sample, ...]:
        return _found(tested, missing, seed=SEED, seconds=_SEARCH_S, known=kept.samples).samples

    found = found_before(build, kept.samples, missing, searched, seed=SEED, seconds=_SEARCH_S)
    return _source(Found((*kept.samples, *found), len(found)), kept)


def _source(found: Found, given: InputSet | None) -> InputSet:
    """What was found, and where it comes from."""
    if given is None:
        return InputSet(found.samples, f"made-up data, seed {SEED}")
    more = f" and {found.made_up} made up, seed {SEED}" if found.made_up else ""
    return InputSet(found.samples, f"{given.source}{more}")


def _found(
    tested: Tested,
    wanted: int,
    *,
    seed: int,
    seconds: float,
    limit_s: float = math.inf,
    known: Sequence[Sample] = (),
    given: Sequence[Sample] = (),
) -> Found:
    """Search on the NPU model; with the reference where that cannot run it; without looking where neither can."""
    ranges, ends = input_ranges(tested.source), output_ends(tested.source)
    for make in (_npu_probe, _reference_probe):
        try:
            return search(
                ranges,
                ends,
                make(tested),
                wanted,
                seed=seed,
                effort=tested.effort(seconds, limit_s),
                known=known,
                given=given,
            )
        except DeployError:
            continue
    return _unlooked(tested, wanted, seed, given)


def _unlooked(tested: Tested, wanted: int, seed: int, given: Sequence[Sample]) -> Found:
    """The first that are given, and made-up ones, without a look at what comes of them."""
    found = _made_up(tuple(input_ranges(tested.source).items()), max(0, wanted - len(given)), seed)
    return Found((*given[:wanted], *found), len(found))


@functools.lru_cache(maxsize=1)
def _made_up(ranges: tuple[tuple[str, InputRange], ...], wanted: int, seed: int) -> tuple[Sample, ...]:
    return tuple(unprobed(dict(ranges), wanted, seed))


def _npu_probe(tested: Tested) -> Probe:
    return NpuProbe(tested.session or HostSession(tested.compiled, tested.npu))


def _reference_probe(tested: Tested) -> Probe:
    kernels = ReferenceKernels(tested.source)

    def probe(inputs: Stacked) -> Response:
        count = len(next(iter(inputs.values())))
        outputs = outputs_of(kernels, inputs)
        return Response(outputs, np.zeros((count, 0), np.int8))

    return probe
