"""The reference kernels: what a model computes according to LiteRT's plain C++ kernels (BUILTIN_REF).

They are the oracle of every verdict: no delegate, no optimised kernel, one thread, so the same integers on
every machine (XNNPACK and the optimised kernels round differently and refuse some networks; measured). A few
operators have no such kernel (in LiteRT 2.3.0 ELU and TILE, among others): a model with one of them is run on the
optimised kernels, without delegates, and what is reported says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError, NotInstalledError
from deploy.processes.forked import fatal_signal
from deploy.tflite import NPU_OPERATOR, Model, Tensor
from deploy.tflite.state import has_resources

_PREPARE_TIMEOUT_S = 60.0
_OPTIMISED = "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
_NO_KERNEL = re.compile(r"Didn't find op for builtin opcode '(\w+)'")


class _NoKernelError(BadInputError):
    """LiteRT's resolver knows no kernel for an operator of the model."""

    def __init__(self, message: str, operator: str) -> None:
        super().__init__(message)
        self.operator = operator


class ReferenceKernels:
    """Runs a model with LiteRT's reference kernels.

    Inputs and outputs go by the names of ``Model.input_names`` and ``Model.output_names`` and are matched by
    tensor index, never by position: converters reorder outputs.

    Args:
        model: a model without custom operators (the source of a build folder, not Vela's output).
        prepared: whether LiteRT has prepared it before, perhaps as part of a larger one: then it is not tried in
            a process of its own first.

    Attributes:
        name: ``LiteRT BUILTIN_REF``, for reports, or what took its place.
        version: of the package ``ai-edge-litert``.

    Raises:
        BadInputError: LiteRT cannot run the model (custom operators, inconsistent shapes).
        NotInstalledError: ``ai-edge-litert`` is missing.
    """

    name = "LiteRT BUILTIN_REF"
    resolver = "BUILTIN_REF"
    """Member of LiteRT's ``OpResolverType``."""
    keeps_tensors = False
    """Whether inner tensors stay to be read after an inference."""

    def __init__(self, model: Model, *, prepared: bool = False) -> None:
        if any(operator.on_npu for operator in model.operators):
            raise BadInputError(
                f"the reference kernels cannot run the custom operator {NPU_OPERATOR}",
                hints=["pass the model before Vela compiled it"],
            )
        self.version = _version()
        self._content = model.content
        self._keeps_resources = has_resources(model)
        self._inputs = {name: model.tensors[index] for index, name in model.input_names().items()}
        self._outputs = {name: model.tensors[index] for index, name in model.output_names().items()}
        self._resolver = self.resolver
        try:
            self._interpreter = self._made(model.content, self._resolver, prepared=prepared)
        except _NoKernelError as error:
            if self.resolver == _OPTIMISED:
                raise
            self._resolver = _OPTIMISED
            self._interpreter = self._made(model.content, self._resolver, prepared=prepared)
            self.name = f"LiteRT's optimised kernels (BUILTIN_REF has none for {error.operator})"

    def _made(self, content: bytes, resolver: str, *, prepared: bool) -> Any:
        return _interpreter(content, resolver, keep=self.keeps_tensors, prepared=prepared)

    @property
    def title(self) -> str:
        """What a verdict calls it."""
        return self.name

    def _reset(self) -> None:
        """Put the model into its initial state."""
        if self._keeps_resources:  # LiteRT resets variable tensors alone, and calls what it calls once no more
            self._interpreter = self._made(self._content, self._resolver, prepared=True)
        self._interpreter.reset_all_variables()

    def run(self, inputs: Mapping[str, NDArray[Any]], *, keep_state: bool = False) -> dict[str, NDArray[Any]]:
        """Run one inference.

        Args:
            inputs: one array per input of the model, by name, of exactly its shape and dtype.
            keep_state: start from the state that the last inference left, else from the initial one.

        Returns:
            One array per output, by name, of its shape and dtype.

        Raises:
            BadInputError: an input is missing, unknown, or has another shape or dtype; LiteRT fails to run; or
                an output is not what the model says of it.
        """
        check_inputs(self._inputs, inputs)
        try:
            if not keep_state:
                self._reset()
            for name, tensor in self._inputs.items():
                self._interpreter.set_tensor(tensor.index, inputs[name])
            self._interpreter.invoke()
            outputs = {
                name: np.array(self._interpreter.get_tensor(tensor.index))
                for name, tensor in self._outputs.items()
            }
        except (RuntimeError, ValueError) as error:
            raise BadInputError(f"the reference kernels cannot run the model: {_first_line(error)}") from error
        for name, tensor in self._outputs.items():
            if outputs[name].size != tensor.elements:
                raise BadInputError(
                    f"output {name}: the reference kernels make it {list(outputs[name].shape)}, "
                    f"the model file says {list(tensor.shape)}",
                    hints=["convert the model again, with a fixed input shape (batch 1)"],
                )
            # Vela leaves out reshapes between operators on the CPU: the same numbers in the same order.
            outputs[name] = outputs[name].reshape(tensor.shape)
        return outputs


class InnerTensors(ReferenceKernels):
    """The reference kernels, with every tensor of the model to be read after an inference."""

    keeps_tensors = True

    @property
    def are_reference(self) -> bool:
        """Whether no other kernels took the reference kernels' place."""
        return self.name == ReferenceKernels.name

    def tensor(self, index: int) -> NDArray[Any] | None:
        """A copy of what the last inference left in a tensor; None where LiteRT keeps none."""
        try:
            return np.array(self._interpreter.get_tensor(index))
        except ValueError:
            return None


def check_inputs(expected: Mapping[str, Tensor], inputs: Mapping[str, NDArray[Any]]) -> None:
    """Check names, shapes and dtypes of a sample against the model's inputs.

    Args:
        expected: the model's input tensors by name.
        inputs: the sample.

    Raises:
        BadInputError: naming the input and what the model expects.
    """
    wanted = ", ".join(f"{name} {tensor.dtype}{list(tensor.shape)}" for name, tensor in expected.items())
    if unknown := sorted(set(inputs) - set(expected)):
        raise BadInputError(f"the model has no input {', '.join(unknown)}", hints=[f"its inputs: {wanted}"])
    for name, tensor in expected.items():
        if name not in inputs:
            raise BadInputError(f"no data for the model's input {name}", hints=[f"its inputs: {wanted}"])
        array = inputs[name]
        if array.dtype.name != tensor.dtype or array.shape != tensor.shape:
            raise BadInputError(
                f"input {name}: the data is {array.dtype}{list(array.shape)}, "
                f"the model takes {tensor.dtype}{list(tensor.shape)}"
            )


def _version() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _interpreter(content: bytes, resolver: str, *, keep: bool, prepared: bool) -> Any:
    try:
        import ai_edge_litert.interpreter  # noqa: F401 - before the fork, so that the child only uses it
    except ImportError as error:
        raise NotInstalledError(
            f"the reference kernels need ai-edge-litert ({error})", hints=["pip install ai-edge-litert==2.3.0"]
        ) from error
    if not prepared:
        _refuse_what_aborts(content, resolver)
    try:
        return _allocated(content, resolver, keep=keep)
    except (RuntimeError, ValueError) as error:
        message = f"LiteRT cannot load the model: {_first_line(error)}"
        missing = _NO_KERNEL.search(str(error))
        raise _NoKernelError(message, missing[1]) if missing else BadInputError(message) from error


def _allocated(content: bytes, resolver: str, *, keep: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=content,
        experimental_op_resolver_type=OpResolverType[resolver],
        num_threads=1,
        experimental_preserve_all_tensors=keep,
    )
    interpreter.allocate_tensors()
    return interpreter


def _refuse_what_aborts(content: bytes, resolver: str) -> None:
    """Prepare the model in a forked child first: LiteRT ends the whole process where a scale is out of its range.

    That happens with real models (a SOFTMAX behind logits that are all but zero, in an untrained network) and
    with damaged ones. 14,000 mutants were run: all that ended so did it while preparing, none while running.
    """
    try:
        name = fatal_signal(lambda: _allocated(content, resolver), timeout_s=_PREPARE_TIMEOUT_S)
    except TimeoutError as error:
        raise BadInputError(
            f"LiteRT does not finish preparing the model within {_PREPARE_TIMEOUT_S:g} s"
        ) from error
    if name is not None:
        raise BadInputError(
            f"LiteRT's kernels abort on the model ({name}): a quantization scale is out of their range",
            hints=["the network may be untrained, or calibrated with data that leaves its outputs at zero"],
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
