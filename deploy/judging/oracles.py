"""The oracles: implementations of TFLite's operators that say what a model must compute.

LiteRT's reference kernels (:mod:`deploy.judging.reference`) are the first. The kernels of TensorFlow Lite for
Microcontrollers (TFLM) are the second: what the microcontroller computes for operators that stay on its CPU, and
where LiteRT rounds otherwise (fully connected layers), what the NPU computes too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deploy.chatter import silenced
from deploy.errors import BadInputError, NotInstalledError
from deploy.judging.reference import ReferenceKernels, check_inputs
from deploy.judging.samples import Stacked, stacked, unstacked
from deploy.processes.forked import fatal_signal
from deploy.tflite import Model
from deploy.tflite.state import has_resources

TFLM_VERSION = "0.dev20261023182759"
"""Only dated pre-releases exist; this one was measured."""

_SMALLEST_ARENA = 1 << 20
_PREPARE_TIMEOUT_S = 60.0


class Oracle(Protocol):
    """What says which outputs a model must have; inputs and outputs go by name.

    Attributes:
        name: for reports.
        version: of the package that it comes from.
    """

    name: str
    version: str

    @property
    def title(self) -> str:
        """What a verdict calls it."""

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference; see :meth:`deploy.judging.reference.ReferenceKernels.run`."""
        ...


MakeOracle = Callable[[Model], Oracle]
"""Puts a model before an oracle: raises BadInputError if it cannot run the model, NotInstalledError if it is
missing."""


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
    count = len(next(iter(inputs.values())))
    samples = unstacked(inputs, count)
    return stacked([oracle.run(sample, keep_state=sequence and i > 0) for i, sample in enumerate(samples)])


class TflmKernels:
    """Runs a model with TFLM's kernels as built for the host (PyPI ``tflite-micro``, x86-64 only).

    Args:
        model: a model without custom operators.

    Raises:
        BadInputError: TFLM cannot run the model (an operator that it does not have).
        NotInstalledError: ``tflite-micro`` is missing.
    """

    name = "TFLM"

    def __init__(self, model: Model) -> None:
        try:
            from tflite_micro.python.tflite_micro import runtime
        except ImportError as error:
            raise NotInstalledError(
                f"TFLM's kernels are not installed ({error})",
                hints=[f"pip install tflite-micro=={TFLM_VERSION}"],
            ) from error
        self.version = _version()
        self._inputs = {name: model.tensors[index] for index, name in model.input_names().items()}
        self._outputs = {name: model.tensors[index] for index, name in model.output_names().items()}
        activations = sum(tensor.nbytes for tensor in model.tensors if tensor.data is None)
        # Every tensor at once plus as much again for scratch buffers and TFLM's own structures: a bound, it
        # allocates from both ends and never more than it needs.
        arena = _SMALLEST_ARENA + 3 * activations + 2048 * (len(model.tensors) + len(model.operators))

        def prepared() -> Any:
            return runtime.Interpreter.from_bytes(model.content, arena_size=arena)

        # It aborts on some networks: a SUB whose operands have different ranks (measured).
        try:
            name = fatal_signal(prepared, timeout_s=_PREPARE_TIMEOUT_S)
        except TimeoutError as error:
            raise BadInputError(f"TFLM does not finish preparing the model in {_PREPARE_TIMEOUT_S:g} s") from error
        if name is not None:
            raise BadInputError(f"TFLM's kernels abort on the model ({name})")
        self._prepared, self._keeps_resources = prepared, has_resources(model)
        with silenced():
            try:
                self._interpreter = prepared()
            except (RuntimeError, ValueError) as error:
                raise BadInputError(f"TFLM cannot load the model: {error}") from error

    @property
    def title(self) -> str:
        """What a verdict calls it: with the version, since only dated pre-releases exist."""
        return f"{self.name} ({self.version})"

    def _reset(self) -> None:
        """Put the model into its initial state."""
        if self._keeps_resources:  # TFLM's reset fills variables with their zero point and calls nothing once more
            self._interpreter = self._prepared()
        else:
            self._interpreter.reset()

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference.

        Args:
            inputs: one array per input of the model, by name, of exactly its shape and dtype.
            keep_state: start from the state that the last inference left, else from the initial one.

        Returns:
            One array per output, by name, of its shape and dtype.

        Raises:
            BadInputError: an input is missing, unknown, or has another shape or dtype; or TFLM fails.
        """
        check_inputs(self._inputs, inputs)
        try:
            if not keep_state:
                self._reset()
            for position, name in enumerate(self._inputs):
                self._interpreter.set_input(inputs[name], position)
            self._interpreter.invoke()
            return {
                name: np.array(self._interpreter.get_output(position)).reshape(tensor.shape)
                for position, (name, tensor) in enumerate(self._outputs.items())
            }
        except (RuntimeError, ValueError) as error:
            raise BadInputError(f"TFLM cannot run the model: {error}") from error


class OptimisedKernels(ReferenceKernels):
    """LiteRT's optimised kernels without delegates: never a verdict's reference, a witness where that one errs."""

    name = "LiteRT optimised"
    resolver = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"


def tflm_installed() -> bool:
    """Whether the second oracle is there."""
    return _version() != "unknown"


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("tflite-micro")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
