"""Runs the TFLite converter in a process of its own.

It prints hundreds of lines, and with some models its calibrator ends in a segmentation fault (TensorFlow 2.21 with
the loop of a GRU, for example; measured): neither may reach the user's terminal or take ``deploy`` with it.

The folder between the two processes::

    model/            SavedModel with the signature to convert (written by the caller)
    samples.npz       calibration samples by input name, [samples, *shape without the batch]
    strict.tflite     the result, when every operator is int8
    lenient.tflite    else: the model with float and TensorFlow operators left in, to name them
    error.txt         why there is no strict.tflite
    float.tflite      the model as it is, in floating point, where that was asked for
    prepared.tflite   the float model that was quantized: as it is, but in a form for integers
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deploy.chatter import silenced
from deploy.data.stream import Dataset
from deploy.errors import BadInputError
from deploy.files import private_folder
from deploy.processes import supervisor
from deploy.processes.python import module_command
from deploy.processes.supervisor import RunCommand
from deploy.quantizing.float_model import SIGNATURE, FloatModel
from deploy.quantizing.integer_forms import with_integer_forms
from deploy.quantizing.tensor_values import tensor_ranges
from deploy.tflite import load

TIMEOUT_S = 1800.0
MODULE = "deploy.quantizing.converter"
MODEL, SAMPLES, STRICT, LENIENT, ERROR = "model", "samples.npz", "strict.tflite", "lenient.tflite", "error.txt"
FLOAT, PREPARED = "float.tflite", "prepared.tflite"

UNQUANTIZED = "float32"
"""Stands in the place of the type of inputs and outputs where nothing is to be quantized."""


@dataclass(frozen=True)
class Conversion:
    """What the converter made of a model.

    Attributes:
        strict: the TFLite file when every operator could be made int8.
        lenient: when not: the file with the operators left in that could not, if even that was possible.
        reason: when not: the converter's words.
        unsupported: operators that TFLite does not have, as the converter names them.
        floating: the TFLite file in floating point, where it was asked for and could be made.
        prepared: the float model in the form that was quantized.
    """

    strict: bytes | None
    lenient: bytes | None
    reason: str
    unsupported: tuple[str, ...]
    floating: bytes | None = None
    prepared: bytes | None = None


def convert(
    model: FloatModel,
    data: Dataset,
    io: str,
    *,
    floating: bool = False,
    verbose: bool = False,
    run: RunCommand = supervisor.run,
) -> Conversion:
    """Convert a float model with calibration data.

    Args:
        model: frozen float model.
        data: calibration samples.
        io: ``uint8`` or ``int8``, type of inputs and outputs; ``float32``: do not quantize.
        floating: convert the model without quantizing it, too.
        verbose: print what the converter printed.
        run: what runs the process.

    Raises:
        BadInputError: the converter crashed or did not end in time.
    """
    with private_folder("convert") as folder:
        with silenced(verbose=verbose):
            model.save(folder / MODEL)
        samples: dict[str, Any] = {spec.name: data.arrays[spec.name] for spec in model.inputs}
        np.savez(folder / SAMPLES, **samples)
        command = module_command(MODULE, str(folder), io)
        command += [FLOAT] if floating else []
        ended = run(command, folder, timeout_s=TIMEOUT_S)
        if verbose:
            print(ended.output, file=sys.stderr)
        strict, lenient = _read(folder / STRICT), _read(folder / LENIENT)
        reason = (_read(folder / ERROR) or b"").decode("utf-8", "replace")
        if strict is None and not reason and not (io == UNQUANTIZED and ended.status == 0):
            raise BadInputError(
                f"{model.source}: the TFLite converter {ended.describe()} while calibrating",
                hints=[
                    "loops crash its calibrator: recurrent layers of a Keras model are unrolled up to 128 steps; "
                    "build longer ones (and those of a SavedModel) with unroll=True, or use convolutions",
                    "run again with --verbose to see everything the converter says",
                ],
            )
        return Conversion(
            strict, lenient, reason, _unsupported(reason), _read(folder / FLOAT), _read(folder / PREPARED)
        )


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _unsupported(reason: str) -> tuple[str, ...]:
    """The names in the converter's ``TF Select ops: A, B`` and ``Custom ops: C`` lines."""
    found: list[str] = []
    for listed in re.findall(r"^(?:TF Select|Custom) ops: (.+)$", reason, re.MULTILINE):
        found += [name.strip() for name in listed.split(",")]
    return tuple(dict.fromkeys(found))


def _main(folder: Path, io: str, *, floating: bool) -> None:
    """The child process: convert strictly; when that fails leniently, to show which operators are to blame."""
    import tensorflow as tf

    sets = tf.lite.OpsSet
    try:
        if io == UNQUANTIZED:
            (folder / FLOAT).write_bytes(bytes(_converter(tf, folder).convert()))
            return
        content = _run(tf, folder, io, [sets.TFLITE_BUILTINS_INT8])
        (folder / STRICT).write_bytes(content)
        if floating:
            with contextlib.suppress(Exception):  # What it is for can do without it.
                (folder / FLOAT).write_bytes(bytes(_converter(tf, folder).convert()))
    except Exception as error:  # ConverterError, RuntimeError, ValueError ...
        (folder / ERROR).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        with contextlib.suppress(Exception):
            lenient = [sets.TFLITE_BUILTINS_INT8, sets.TFLITE_BUILTINS, sets.SELECT_TF_OPS]
            (folder / LENIENT).write_bytes(_run(tf, folder, io, lenient))


def _converter(tf: Any, folder: Path) -> Any:
    """The converter of the SavedModel; what it quantizes is brought into a form for integers first."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / MODEL), signature_keys=[SIGNATURE])
    quantize = converter._quantize

    def prepared(content: bytes, *arguments: Any) -> Any:
        model = load(bytes(content), source="the converted model")
        ranges = functools.partial(tensor_ranges, samples=_samples(folder))
        form = with_integer_forms(model, ranges).content
        (folder / PREPARED).write_bytes(form)
        return quantize(form, *arguments)

    converter._quantize = prepared
    return converter


def _samples(folder: Path) -> Iterator[dict[str, Any]]:
    samples = dict(np.load(folder / SAMPLES))
    for i in range(len(next(iter(samples.values())))):
        yield {name: array[i : i + 1] for name, array in samples.items()}


def _run(tf: Any, folder: Path, io: str, operators: list[Any]) -> bytes:
    converter = _converter(tf, folder)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples(folder)
    converter.target_spec.supported_ops = operators
    converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)
    return bytes(converter.convert())


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2], floating=FLOAT in sys.argv[3:])
