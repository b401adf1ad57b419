"""Kernels that run a model in a process apart: what LiteRT's and TFLM's have in common."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.interpreters import Library, Order, arena_for
from deploy.judging.kernel_process import KernelProcess, KernelsError, OtherOutputError, PreparedModel
from deploy.judging.samples import Stacked, stacked, unstacked
from deploy.tflite import Model, Tensor
from deploy.tflite.state import has_resources

_PACKAGES: dict[Library, str] = {"LiteRT": "ai-edge-litert", "TFLM": "tflite-micro"}


class InconsistentModelError(BadInputError):
    """A model file that says of an output what its operators do not compute: no other kernels make that good."""


class Kernels:
    """A model before kernels.

    Inputs and outputs go by the names of ``Model.input_names`` and ``Model.output_names`` and are matched by
    tensor index, never by position: converters reorder outputs.

    Args:
        model: as it was before Vela compiled it (the source of a build folder).
        process: that the kernels run in; None for one of their own.

    Attributes:
        library: that the kernels are from.
        name: for reports.
        version: of the library's package.

    Raises:
        BadInputError: they cannot run the model (operators that they do not know, inconsistent shapes), or ended
            the process that they run in.
        NotInstalledError: the library is missing.
    """

    library: Library
    name: str

    def __init__(self, model: Model, *, process: KernelProcess | None = None) -> None:
        self.version = version_of(self.library)
        self._inputs = {name: model.tensors[index] for index, name in model.input_names().items()}
        self._outputs = {name: model.tensors[index] for index, name in model.output_names().items()}
        try:
            self._prepared = self._prepare(model, process or KernelProcess())
        except KernelsError as error:
            raise self._unprepared(error) from error

    def _prepare(self, model: Model, process: KernelProcess) -> PreparedModel:
        return PreparedModel(model, self.order(model), process)

    def order(self, model: Model) -> Order:
        """What is asked of the interpreter."""
        inputs = tuple(tensor.index for tensor in self._inputs.values())
        outputs = tuple(tensor.index for tensor in self._outputs.values())
        activations = sum(tensor.nbytes for tensor in model.tensors if tensor.data is None)
        return Order(
            self.library,
            inputs=inputs,
            outputs=outputs,
            input_places=tuple(model.inputs.index(index) for index in inputs),
            output_places=tuple(model.outputs.index(index) for index in outputs),
            begins_anew=has_resources(model),
            arena_bytes=arena_for(activations, len(model.tensors) + len(model.operators)),
        )

    def _unprepared(self, error: KernelsError) -> BadInputError:
        """What to say where a model cannot be prepared."""
        return BadInputError(sentence(self.library, "load", error))

    @property
    def title(self) -> str:
        """What a verdict calls them."""
        return self.name

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference.

        Args:
            inputs: one array per input of the model, by name, of exactly its shape and dtype.
            keep_state: start from the state that the last inference left, else from the initial one.

        Returns:
            One array per output, by name, of its shape and dtype.

        Raises:
            BadInputError: an input is missing, unknown, or has another shape or dtype; the kernels fail to run, or
                end the process that they run in; or an output is not what the model says of it.
        """
        return self.run_all([inputs], keep_state=keep_state)[0]

    def run_all(
        self, samples: Sequence[Mapping[str, NDArray[Any]]], *, keep_state: bool = False
    ) -> list[dict[str, NDArray[Any]]]:
        """Run several inferences one behind the other, which costs less than one by one.

        Args:
            samples: as :meth:`run` takes one.
            keep_state: each starts from the state that the one before it left, the first from what the last call
                left; else all start from the initial one.

        Raises:
            BadInputError: as :meth:`run`.
        """
        if not samples:
            return []
        for inputs in samples:
            check_inputs(self._inputs, inputs)
        return unstacked(self.run_batch(stacked(samples), len(samples), keep_state=keep_state), len(samples))

    def run_batch(self, inputs: Mapping[str, NDArray[Any]], count: int, *, keep_state: bool = False) -> Stacked:
        """Run several inferences one behind the other, as :meth:`run_all`, on what lies side by side.

        Args:
            inputs: one array ``(count, *shape)`` per input.
            count: how many inferences, at least one.
            keep_state: as of :meth:`run_all`.

        Returns:
            One array ``(count, *shape)`` per output.

        Raises:
            BadInputError: as :meth:`run`.
        """
        check_inputs(self._inputs, inputs, (count,))
        try:
            found = self._prepared.run([inputs[name] for name in self._inputs], count, keep_state=keep_state)
        except OtherOutputError as error:
            raise self._other(error) from error
        except KernelsError as error:
            raise BadInputError(sentence(self.library, "run", error)) from error
        return dict(zip(self._outputs, found, strict=True))

    def _other(self, error: OtherOutputError) -> InconsistentModelError:
        name, tensor = next(item for item in self._outputs.items() if item[1].index == error.tensor)
        return InconsistentModelError(
            f"output {name}: the reference kernels make it {list(error.shape)}, "
            f"the model file says {list(tensor.shape)}",
            hints=["convert the model again, with a fixed input shape (batch 1)"],
        )


def sentence(who: str, what: str, error: KernelsError) -> str:
    """Why kernels do not ``load`` or ``run`` a model.

    Args:
        who: they are.
        what: they should have done.
        error: that came instead.
    """
    if not error.ended:
        return f"{who} cannot {what} the model: {error.reason}"
    doing = {"load": "preparing", "run": "running"}[what]
    reason = f": {error.reason}" if error.reason else ""
    if error.ended.startswith("SIG"):
        return f"{who} crashes while {doing} the model ({error.ended}){reason}"
    if error.ended.endswith(" s"):
        return f"{who} does not finish {doing} the model within {error.ended}{reason}"
    return f"{who} ends its process while {doing} the model ({error.ended}){reason}"


def check_inputs(
    expected: Mapping[str, Tensor], inputs: Mapping[str, NDArray[Any]], batch: tuple[int, ...] = ()
) -> None:
    """Check names, shapes and dtypes of a sample, or of several side by side, against the model's inputs.

    Args:
        expected: the model's input tensors by name.
        inputs: the sample.
        batch: what stands before the shape of a sample: how many lie side by side.

    Raises:
        BadInputError: naming the input and what the model expects.
    """
    if unknown := sorted(set(inputs) - set(expected)):
        raise BadInputError(f"the model has no input {', '.join(unknown)}", hints=[_wanted(expected)])
    for name, tensor in expected.items():
        if name not in inputs:
            raise BadInputError(f"no data for the model's input {name}", hints=[_wanted(expected)])
        array = inputs[name]
        shape = (*batch, *tensor.shape)
        if array.dtype != tensor.dtype or array.shape != shape:
            raise BadInputError(
                f"input {name}: the data is {array.dtype}{list(array.shape)}, "
                f"the model takes {tensor.dtype}{list(shape)}"
            )


def _wanted(expected: Mapping[str, Tensor]) -> str:
    return "its inputs: " + ", ".join(
        f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in expected.items()
    )


@functools.cache
def version_of(library: Library) -> str:
    """Version of the package that a library comes in; ``unknown`` where it is not installed."""
    try:
        return importlib.metadata.version(_PACKAGES[library])
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
