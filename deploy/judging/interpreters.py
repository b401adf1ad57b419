"""LiteRT's and TFLM's interpreters with a model before them, as the process of kernels holds them.

They may end the process that they are in: all others talk to them through :mod:`deploy.judging.kernel_process`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from deploy.errors import NotInstalledError

Library: TypeAlias = Literal["LiteRT", "TFLM"]

TFLM_VERSION = "0.dev20261023182759"
"""Only dated pre-releases exist; this one was measured."""

REFERENCE, OPTIMISED = "BUILTIN_REF", "BUILTIN_WITHOUT_DEFAULT_DELEGATES"
"""Members of LiteRT's ``OpResolverType``: plain C++ kernels; optimised ones, without delegates."""

_SMALLEST_ARENA = 1 << 20


@dataclass(frozen=True)
class Order:
    """Which interpreter is to have a model before it.

    Attributes:
        library: whose it is.
        inputs: numbers of the tensors that get the inputs, as LiteRT counts them.
        outputs: numbers of the tensors that hold the outputs.
        input_places: where they stand in the file's list of inputs, as TFLM counts them.
        output_places: where they stand in the file's list of outputs.
        resolver: of LiteRT's kernels.
        keeps_tensors: whether LiteRT's inner tensors stay to be read after an inference.
        arena_bytes: that TFLM plans its tensors in.
        begins_anew: whether a new interpreter takes the model's initial state: libraries reset variable tensors
            alone, and call what is called once no more.
    """

    library: Library
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    input_places: tuple[int, ...]
    output_places: tuple[int, ...]
    resolver: str = REFERENCE
    keeps_tensors: bool = False
    arena_bytes: int = 0
    begins_anew: bool = False


def arena_for(activation_bytes: int, parts: int) -> int:
    """How large an arena TFLM gets, in bytes.

    Every tensor at once plus as much again for scratch buffers and TFLM's own structures: a bound, it allocates
    from both ends and never more than it needs.

    Args:
        activation_bytes: all tensors that are no constants.
        parts: tensors and operators.
    """
    return _SMALLEST_ARENA + 3 * activation_bytes + 2048 * parts


class Interpreter(Protocol):
    """A model that is ready to run. What goes wrong is a ``RuntimeError`` or ``ValueError``."""

    def run(self, inputs: Sequence[NDArray[Any]], *, keep_state: bool) -> list[NDArray[Any]]:
        """One inference: inputs and outputs in the order that was asked for."""
        ...

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        """What the last inference left in tensors, as far as they are kept."""
        ...


def made(order: Order, content: bytes) -> Interpreter:
    """An interpreter with a model before it.

    Args:
        order: which one.
        content: the ``.tflite`` file.

    Raises:
        RuntimeError: it cannot run the model.
        ValueError: likewise.
    """
    return _LiteRT(order, content) if order.library == "LiteRT" else _Tflm(order, content)


def import_library(library: Library) -> None:
    """Import a library before a fork uses it, or say what is missing.

    Raises:
        NotInstalledError: it is not installed.
    """
    try:
        if library == "LiteRT":
            import ai_edge_litert.interpreter  # noqa: F401
        else:
            from tflite_micro.python.tflite_micro import runtime  # noqa: F401
    except ImportError as error:
        if library == "LiteRT":
            raise NotInstalledError(
                f"the reference kernels need ai-edge-litert ({error})", hints=["pip install ai-edge-litert==2.3.0"]
            ) from error
        raise NotInstalledError(
            f"TFLM's kernels are not installed ({error})", hints=[f"pip install tflite-micro=={TFLM_VERSION}"]
        ) from error


class _LiteRT:
    def __init__(self, order: Order, content: bytes) -> None:
        self._order, self._content = order, content
        self._interpreter = self._begun()

    def _begun(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter: Any = Interpreter(
            model_content=self._content,
            experimental_op_resolver_type=OpResolverType[self._order.resolver],
            num_threads=1,
            experimental_preserve_all_tensors=self._order.keeps_tensors,
        )
        interpreter.allocate_tensors()
        return interpreter

    def run(self, inputs: Sequence[NDArray[Any]], *, keep_state: bool) -> list[NDArray[Any]]:
        if not keep_state:
            if self._order.begins_anew:
                self._interpreter = self._begun()
            self._interpreter.reset_all_variables()
        for index, array in zip(self._order.inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._order.outputs]

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        found = {}
        for index in indices:
            with contextlib.suppress(ValueError):
                array = self._interpreter.get_tensor(index)
                if array.dtype.kind in "biufc":  # no text
                    found[index] = array
        return found


class _Tflm:
    def __init__(self, order: Order, content: bytes) -> None:
        self._order, self._content = order, content
        self._interpreter = self._begun()

    def _begun(self) -> Any:
        from tflite_micro.python.tflite_micro import runtime

        return runtime.Interpreter.from_bytes(self._content, arena_size=self._order.arena_bytes)

    def run(self, inputs: Sequence[NDArray[Any]], *, keep_state: bool) -> list[NDArray[Any]]:
        if not keep_state:
            if self._order.begins_anew:
                self._interpreter = self._begun()
            else:
                self._interpreter.reset()
        for place, array in zip(self._order.input_places, inputs, strict=True):
            self._interpreter.set_input(array, place)
        self._interpreter.invoke()
        return [np.array(self._interpreter.get_output(place)) for place in self._order.output_places]

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        return {}
