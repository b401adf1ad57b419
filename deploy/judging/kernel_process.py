"""The process that kernels run in: they may end it, hang in it or fill its memory, and nobody else is hurt.

LiteRT and TFLM end their process where they should raise: while they prepare a model (a scale that is out of
range, operands of different ranks), and while they run one (LiteRT's int8 SVDF writes beyond its tensors). Here
that is an error of the model that did it. One process holds any number of models; when one of them has ended it,
the next request for another starts it anew. It is a fork, which has everything imported, and a request costs some
30 us.
"""

from __future__ import annotations

import dataclasses
import json
import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deploy.errors import BadInputError
from deploy.judging.interpreters import Interpreter, Library, Order, import_library, made
from deploy.printable import printable
from deploy.processes.worker import TOO_LONG, Buffer, Worker, WorkerEndedError
from deploy.tflite import Model, Operator, Tensor

PREPARE_S = 60.0
"""Seconds after which kernels that prepare a model have lost their way."""

_RUN_S, _SLOWEST_MACS_PER_S = 20.0, 1e7
"""Seconds that any inference may take, and how slow kernels are at most: LiteRT's reference kernels are 40 times
as fast, TFLM's 20 times (measured), and computers are busy."""

_MAX_BODY_BYTES = 16 << 20
"""Of the inputs or outputs that are sent at once, where there is more than one sample."""

_MAX_TEXT = 300


class KernelsError(Exception):
    """There is no answer.

    Attributes:
        reason: in the kernels' words, one line; empty where they left none.
        ended: how the process ended, where it did: the name of a signal (``SIGSEGV``), ``status 1``, or how long
            it was waited for.
    """

    def __init__(self, reason: str, ended: str = "") -> None:
        super().__init__(ended or reason)
        self.reason = printable(reason)[:_MAX_TEXT]
        self.ended = ended


class OtherOutputError(KernelsError):
    """An output is not what the model file says of it.

    Attributes:
        tensor: its number.
        shape: that it has.
    """

    def __init__(self, tensor: int, dtype: str, shape: tuple[int, ...]) -> None:
        super().__init__(f"tensor {tensor} becomes {dtype}{list(shape)}")
        self.tensor, self.shape = tensor, shape


class KernelProcess:
    """A process for kernels, started with the first model; it ends when nobody holds it any more."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._numbers = 0
        self._dropped: list[int] = []

    @property
    def life(self) -> Worker | None:
        """What holds the models that were prepared last; another one when the process has been started anew."""
        return self._worker if self._worker is not None and self._worker.alive else None

    def start(self, library: Library) -> None:
        """Start it where it does not run: from a thread that lives as long, since it ends with its thread.

        Args:
            library: that is asked first.

        Raises:
            NotInstalledError: the library is missing.
        """
        import_library(library)  # before the fork, so that the child only uses it
        self._living()

    def _living(self) -> Worker:
        worker = self.life
        if worker is None:
            self._worker = worker = Worker(_Held().answer)
            self._dropped = []
        return worker

    def new_number(self) -> int:
        """For a model that is to be prepared."""
        self._numbers += 1
        return self._numbers

    def drop(self, number: int) -> None:
        """A model is not asked any more."""
        self._dropped.append(number)

    def ask(
        self, head: Mapping[str, Any], body: Sequence[Buffer] = (), *, timeout_s: float
    ) -> tuple[dict[str, Any], memoryview]:
        """Have something done.

        Args:
            head: what.
            body: what it is done with.
            timeout_s: after this many seconds the process is killed.

        Raises:
            KernelsError: the kernels cannot, or ended the process.
        """
        worker = self._living()
        dropped, self._dropped = self._dropped, []
        try:
            said, content = worker.ask(json.dumps({**head, "drop": dropped}).encode(), body, timeout_s=timeout_s)
            answer = json.loads(said)
        except WorkerEndedError as error:
            ended = f"{timeout_s:.0f} s" if error.how == TOO_LONG else error.how
            raise KernelsError(_last(worker), ended) from None
        if "error" in answer:
            raise KernelsError(_joined(answer["error"], worker))
        return answer, memoryview(content)


def _last(worker: Worker) -> str:
    return next(reversed(worker.printed()), "")


def _joined(error: str, worker: Worker) -> str:
    """The first line of an error, and what was printed beside it, which tells more with TFLM."""
    first, printed = next(iter(error.splitlines()), ""), _last(worker)
    return f"{first} ({printed})" if printed and printed not in first else first


class PreparedModel:
    """A model before an interpreter in a process of kernels.

    Args:
        model: the model.
        order: which interpreter.
        process: that holds it; None for one of its own.

    Raises:
        BadInputError: an input or output is of a type that cannot be fed or read (text).
        KernelsError: the interpreter cannot load the model.
        NotInstalledError: the library is missing.
    """

    def __init__(self, model: Model, order: Order, process: KernelProcess | None = None) -> None:
        self._content, self._order = model.content, order
        self._inputs = _specifications(model.tensors[index] for index in order.inputs)
        self._outputs = _specifications(model.tensors[index] for index in order.outputs)
        self._output_bytes = sum(nbytes for _, _, nbytes in self._outputs)
        self._input_bytes = sum(nbytes for _, _, nbytes in self._inputs)
        self._one_s = sum(macs_at_most(model, each) for each in model.operators) / _SLOWEST_MACS_PER_S
        import_library(order.library)  # before the fork, so that the child only uses it
        self._process = process or KernelProcess()
        self._number = self._process.new_number()
        weakref.finalize(self, self._process.drop, self._number).atexit = False
        self._failed: KernelsError | None = None
        self._prepare()

    def _prepare(self) -> None:
        head = {
            "do": "prepare",
            "number": self._number,
            "order": dataclasses.asdict(self._order),
            "inputs": self._inputs,
            "outputs": self._outputs,
        }
        self._asked(head, [self._content], PREPARE_S)
        self._life = self._process.life

    def run(self, inputs: Sequence[NDArray[Any]], count: int, *, keep_state: bool = False) -> list[NDArray[Any]]:
        """Run inferences one behind the other.

        Args:
            inputs: in the order of ``order.inputs``, ``(count, *shape)`` each, of the tensors' types.
            count: how many inferences, at least one.
            keep_state: each starts from the state that the one before it left, else from the initial one.

        Returns:
            The outputs in the order of ``order.outputs``, ``(count, *shape)`` each, of the tensors' types.

        Raises:
            KernelsError: the kernels fail, or make an output of another shape than the model says.
        """
        most = max(1, _MAX_BODY_BYTES // max(self._input_bytes, self._output_bytes, 1))
        parts = []
        for first in range(0, count, most):
            size = min(most, count - first)
            parts.append(self._run([each[first : first + size] for each in inputs], size, keep_state=keep_state))
        return parts[0] if len(parts) == 1 else [np.concatenate(each) for each in zip(*parts, strict=True)]

    def _run(self, inputs: Sequence[NDArray[Any]], count: int, *, keep_state: bool) -> list[NDArray[Any]]:
        self._be_prepared(keep_state=keep_state)
        head = {"do": "run", "number": self._number, "count": count, "keep_state": keep_state}
        body = [_bytes(array).data for array in inputs]
        said, content = self._asked(head, body, _RUN_S + self._one_s * count)
        if said:
            raise OtherOutputError(self._order.outputs[said["output"]], str(said["dtype"]), tuple(said["shape"]))
        if len(content) != self._output_bytes * count:
            raise KernelsError(f"{len(content)} bytes came for {count} outputs")
        return _arrays(content, _side_by_side(self._outputs, count))

    def tensors(self, indices: Iterable[int]) -> dict[int, NDArray[Any]]:
        """What the last inference left in tensors of the model, as far as the interpreter keeps them.

        Raises:
            KernelsError: there was none, or the process has ended since.
        """
        if self._life is None or self._life is not self._process.life:
            raise KernelsError("the process that ran the model has ended")
        head = {"do": "tensors", "number": self._number, "indices": list(indices)}
        said, content = self._asked(head, [], PREPARE_S)
        specifications = [(str(dtype), tuple(shape), int(nbytes)) for dtype, shape, nbytes in said["tensors"]]
        return dict(zip(said["indices"], _arrays(content, specifications), strict=True))

    def _be_prepared(self, *, keep_state: bool) -> None:
        """Once more where another model ended the process; never where this one did."""
        if self._failed is not None:
            raise self._failed
        if self._life is None or self._life is not self._process.life:
            if keep_state:
                raise KernelsError("the process that kept the state has ended")
            self._prepare()

    def _asked(
        self, head: Mapping[str, Any], body: Sequence[Buffer], timeout_s: float
    ) -> tuple[dict[str, Any], memoryview]:
        try:
            return self._process.ask(head, body, timeout_s=timeout_s)
        except KernelsError as error:
            self._failed = error if error.ended else None
            raise


_Specification = tuple[str, tuple[int, ...], int]
"""NumPy's name of the type, shape, size in bytes."""


def _specifications(tensors: Iterable[Tensor]) -> list[_Specification]:
    found = []
    for tensor in tensors:
        try:
            np.dtype(tensor.dtype)
        except TypeError as error:
            raise BadInputError(f"{tensor.name}: {tensor.dtype} can be neither fed nor read") from error
        found.append((tensor.dtype, tensor.shape, tensor.nbytes))
    return found


def _side_by_side(specifications: Sequence[_Specification], count: int) -> list[_Specification]:
    return [(dtype, (count, *shape), count * nbytes) for dtype, shape, nbytes in specifications]


def _bytes(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _arrays(content: Buffer, specifications: Iterable[_Specification]) -> list[NDArray[Any]]:
    """Arrays that lie one behind the other, where they lie; copies of those that lie askew."""
    found, place = [], 0
    for dtype, shape, nbytes in specifications:
        array = np.frombuffer(content, np.uint8, count=nbytes, offset=place).view(dtype)
        found.append((array if array.flags.aligned else array.copy()).reshape(shape))
        place += nbytes
    return found


def macs_at_most(model: Model, operator: Operator) -> float:
    """A bound of an operator's multiply-accumulates, exact for convolutions and fully connected layers."""
    constants = [model.tensors[index] for index in operator.inputs if index >= 0]
    weights = max((tensor.elements for tensor in constants if tensor.data is not None), default=1)
    computed = [model.tensors[index] for index in operator.outputs]
    return sum(
        tensor.elements * max(1.0, weights // max(1, tensor.shape[-1] if tensor.shape else 1))
        for tensor in computed
    )


class _Held:
    """In the process: interpreters by the number that they are asked for."""

    def __init__(self) -> None:
        self._models: dict[int, tuple[Interpreter, list[_Specification], list[_Specification]]] = {}

    def answer(self, head: bytes, body: bytearray) -> tuple[bytes, Sequence[Buffer]]:
        """Do what is asked for."""
        asked = json.loads(head)
        for number in asked["drop"]:
            self._models.pop(number, None)
        try:
            said, content = getattr(self, f"_{asked['do']}")(asked, body)
        except Exception as error:
            return json.dumps({"error": str(error) or type(error).__name__}).encode(), ()
        return json.dumps(said).encode(), content

    def _prepare(self, asked: dict[str, Any], body: bytearray) -> tuple[dict[str, Any], Sequence[Buffer]]:
        order = Order(**asked["order"])
        self._models[asked["number"]] = made(order, bytes(body)), asked["inputs"], asked["outputs"]
        return {}, ()

    def _run(self, asked: dict[str, Any], body: bytearray) -> tuple[dict[str, Any], Sequence[Buffer]]:
        interpreter, inputs, outputs = self._models[asked["number"]]
        count = asked["count"]
        fed = _arrays(body, _side_by_side(inputs, count))
        made = [np.empty((count, nbytes), np.uint8) for _, _, nbytes in outputs]
        sizes = [(math.prod(shape), nbytes) for _, shape, nbytes in outputs]
        for number in range(count):
            found = interpreter.run([array[number, ...] for array in fed], keep_state=asked["keep_state"])
            for position, (array, size, rows) in enumerate(zip(found, sizes, made, strict=True)):
                # Vela leaves out reshapes between operators on the CPU: the same numbers in the same order.
                if (array.size, array.nbytes) != size:
                    return {"output": position, "dtype": array.dtype.name, "shape": array.shape}, ()
                rows[number] = _bytes(array)
        return {}, [rows.data.cast("B") for rows in made if rows.size]

    def _tensors(self, asked: dict[str, Any], _body: bytearray) -> tuple[dict[str, Any], Sequence[Buffer]]:
        interpreter, _, _ = self._models[asked["number"]]
        found = interpreter.tensors(asked["indices"])
        described = [(array.dtype.name, array.shape, array.nbytes) for array in found.values()]
        return {"indices": list(found), "tensors": described}, [_bytes(array).data for array in found.values()]
