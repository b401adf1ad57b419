"""The samples of a sequence whose state the model hands out and takes in again, by the NPU model."""

from __future__ import annotations

from collections.abc import Sequence

from deploy.errors import BadInputError, NotInstalledError
from deploy.hardware.npus import Npu
from deploy.judging.build_models import Models
from deploy.judging.external_state import Infer, Links, with_states
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Sample, stacked, unstacked
from deploy.verifying.npu_inference import NpuInference


def fed_back(models: Models, npu: Npu, links: Links, samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples with the states that they start from.

    The NPU model computes them, which a target must equal; where it cannot run the model, LiteRT's reference.

    Args:
        models: of a build.
        npu: that it was compiled for.
        links: of :func:`deploy.judging.external_state.links_of`.
        samples: one sequence.

    Raises:
        BadInputError: a sample does not fit the model.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream.
    """
    return with_states(samples, links, models.compiled, _infer(models, npu))


def _infer(models: Models, npu: Npu) -> Infer:
    try:
        inference = NpuInference(models.compiled, npu)
    except (BadInputError, NotInstalledError):
        kernels = ReferenceKernels(models.source)
        return lambda sample, keep: kernels.run(sample, keep_state=keep)

    def infer(sample: Sample, keep: bool) -> Sample:
        outputs = inference.run_batch(stacked([sample]), state=inference.state if keep else None)
        return unstacked(outputs, 1)[0]

    return infer
