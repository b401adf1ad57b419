"""The oracles: implementations of TFLite's operators that say what a model must compute.

LiteRT's reference kernels (:mod:`deploy.judging.reference`) are the first. The kernels of TensorFlow Lite for
Microcontrollers (TFLM) are the second: what the microcontroller computes for operators that stay on its CPU, and
where LiteRT rounds otherwise (fully connected layers), what the NPU computes too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from numpy.typing import NDArray

from deploy.judging.interpreters import OPTIMISED
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.kernels import Kernels, version_of
from deploy.judging.reference import ReferenceKernels
from deploy.judging.samples import Stacked, stacked, unstacked
from deploy.tflite import Model


class Oracle(Protocol):
    """What says which outputs a model must have; inputs and outputs go by name."""

    @property
    def name(self) -> str:
        """For reports."""

    @property
    def version(self) -> str:
        """Of the package that it comes from."""

    @property
    def title(self) -> str:
        """What a verdict calls it."""

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference; see :meth:`deploy.judging.kernels.Kernels.run`."""
        ...

    def run_all(
        self, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
    ) -> list[dict[str, NDArray[Any]]]:
        """Run several one behind the other; see :meth:`deploy.judging.kernels.Kernels.run_all`."""
        ...


MakeOracle = Callable[[Model], Oracle]
"""Puts a model before an oracle: raises BadInputError if it cannot run the model, NotInstalledError if it is
missing."""


class MakeKernels(Protocol):
    """Puts a model before kernels, in a process that may hold other models, too."""

    def __call__(self, model: Model, *, process: KernelProcess | None = None) -> Kernels:
        """Raises BadInputError if they cannot run the model, NotInstalledError if they are missing."""
        ...


def outputs_of(oracle: Oracle, inputs: Mapping[str, NDArray[Any]], *, sequence: bool = False) -> Stacked:
    """What an oracle says about many inputs.

    Args:
        oracle: with a model before it.
        inputs: name -> ``[samples, *shape]``, at least one sample.
        sequence: keep the model's state from one of them to the next.

    Returns:
        Output name -> ``[samples, *shape]``.

    Raises:
        BadInputError: as its ``run``.
    """
    samples = unstacked(inputs, len(next(iter(inputs.values()))))
    return stacked(sequence_of(oracle, samples) if sequence else oracle.run_all(samples))


def sequence_of(
    oracle: Oracle, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
) -> list[dict[str, NDArray[Any]]]:
    """What an oracle says about samples in a sequence, in which the model keeps its state.

    Args:
        oracle: with a model before it.
        samples: inputs by name.
        keep_state: the first starts from the state that is there, else from the initial one.

    Raises:
        BadInputError: as its ``run``.
    """
    head = oracle.run_all(samples[:1], keep_state=keep_state)
    return head + (oracle.run_all(samples[1:], keep_state=True) if len(samples) > 1 else [])


class TflmKernels(Kernels):
    """Runs a model with TFLM's kernels as built for the host (PyPI ``tflite-micro``, x86-64 only).

    TFLM's own operators, which LiteRT does not know, are among them: those of signal processing.
    """

    library = "TFLM"
    name = "TFLM"

    @property
    def title(self) -> str:
        """What a verdict calls it: with the version, since only dated pre-releases exist."""
        return f"{self.name} ({self.version})"


class OptimisedKernels(ReferenceKernels):
    """LiteRT's optimised kernels without delegates: never a verdict's reference, a witness where that one errs."""

    name = "LiteRT optimised"
    resolver = OPTIMISED


ANY_KERNELS: Final[tuple[MakeKernels, ...]] = (ReferenceKernels, TflmKernels, OptimisedKernels)
"""All, in the order in which they are asked where one is enough; the optimised ones round otherwise most often."""


def tflm_installed() -> bool:
    """Whether the second oracle is there."""
    return version_of("TFLM") != "unknown"
