"""The quantized form of each network of a sweep: made once, and kept with what earlier sweeps computed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy import tflite, user_function
from deploy.build_folder import sha256_of_bytes, sha256_of_file
from deploy.chatter import silenced
from deploy.data.image_range import ImageRange
from deploy.data.stream import Dataset
from deploy.errors import BadInputError
from deploy.intake.taking import take
from deploy.judging.versions import package_versions
from deploy.quantizing import dataset
from deploy.quantizing.float_model import import_tensorflow
from deploy.quantizing.quantization import IO_TYPES, quantize
from deploy.sweeping.cache import Cache, code_digest, key_of
from deploy.tflite import Model
from deploy.zoo import model_source
from deploy.zoo.model_source import ModelKind, ModelSource
from deploy.zoo.quantized import quantize_source

_KIND = "network"


@dataclass(frozen=True)
class QuantizeOptions:
    """How float networks are quantized."""

    calibration: str | None = None
    samples: int | None = None
    image_range: ImageRange | None = None
    io: str = IO_TYPES[0]
    verbose: bool = False


@dataclass(frozen=True)
class QuantizedNetwork:
    """A network ready to compile."""

    source: ModelSource
    model: Model
    sha256: str
    warnings: tuple[str, ...] = ()


def quantized(source: ModelSource, how: QuantizeOptions, cache: Cache) -> QuantizedNetwork:
    """The quantized form of a network, from the cache where it is known.

    Raises:
        BadInputError: it cannot be loaded or quantized, it has no such signature, or the data does not fit.
        NotInstalledError: TensorFlow or a data set is missing.
    """
    if source.kind is ModelKind.TFLITE:
        model, warnings = tflite.read(source.path), tuple[str, ...]()
    else:
        key = _key_of_files(source, how)
        found = (key and _known(source, key, cache)) or _quantize(source, how, cache, key)
        model, warnings = found.model, found.warnings
    taken = take(model, source.text, source.signature_of_file)
    digest = taken.model.sha256
    return QuantizedNetwork(source, taken.model, digest, (*warnings, *taken.notes))


def _known(source: ModelSource, key: str, cache: Cache) -> QuantizedNetwork | None:
    kept = cache.get(key)
    content = cache.get_bytes(f"{key}.tflite") if kept else None
    if kept is None or content is None or sha256_of_bytes(content) != kept.get("sha256"):
        return None
    try:
        model = tflite.load(content, source=source.text)
    except BadInputError:
        return None
    return QuantizedNetwork(source, model, kept["sha256"], tuple(map(str, kept.get("warnings", ()))))


def _quantize(source: ModelSource, how: QuantizeOptions, cache: Cache, key: str | None) -> QuantizedNetwork:
    """Quantize; a user's function is known by the network that it returns, whatever that depends on."""
    _forget_networks(how)
    if key is None and source.kind is not ModelKind.PROJECT:
        model = model_source.load_float(source, verbose=how.verbose)
        data = dataset.load(how.calibration or "", model.inputs, how.samples, image_range=how.image_range)
        definition = {"definition": sha256_of_bytes(model.definition()), "data": _digest(data)}
        key = key_of(_KIND, {**definition, "io": how.io, "decided by": _deciding()})
        if known := _known(source, key, cache):
            return known
        result = quantize(model, data, io=how.io, verbose=how.verbose, compare=0)
    else:
        result = quantize_source(
            source,
            how.calibration,
            samples=how.samples,
            image_range=how.image_range,
            io=how.io,
            verbose=how.verbose,
            compare=0,
        )
    found = QuantizedNetwork(source, result.model, result.document.sha256, result.document.warnings)
    if key is not None:  # None: a project's network with data of a user's function
        cache.put_bytes(f"{key}.tflite", found.model.content)
        # The description last: with it, the model is there.
        cache.put(key, {"sha256": found.sha256, "warnings": list(found.warnings), "network": source.name})
    return found


def _forget_networks(how: QuantizeOptions) -> None:
    """Free the networks before this one, and number Keras' names anew: the same network, the same names."""
    with silenced(verbose=how.verbose):
        import_tensorflow()
        import keras

        keras.utils.clear_session()


def _key_of_files(source: ModelSource, how: QuantizeOptions) -> str | None:
    """By the content of the files that a quantized network is made from; None where code of the user's decides."""
    calibration = how.calibration
    if source.kind is ModelKind.FUNCTION or (calibration and user_function.is_reference(calibration)):
        return None
    return key_of(
        _KIND,
        {
            "kind": source.kind.value,
            "assignments": sorted(source.assignments),
            "signature": source.signature,
            "project": source.project if source.kind is ModelKind.PROJECT else "",
            # All projects: they use parts of each other.
            "files": (
                code_digest("deploy.models") if source.kind is ModelKind.PROJECT else _digest_of_path(source.path)
            ),
            "calibration": _digest_of_data(calibration),
            "samples": how.samples,
            "image range": str(how.image_range),
            "io": how.io,
            "decided by": _deciding(),
        },
    )


def _deciding() -> dict[str, str]:
    """What decides a quantized network beside its definition and the data."""
    code = code_digest("deploy.data", "deploy.quantizing", "deploy.sweeping", "deploy.tflite", "deploy.zoo")
    return {"deploy's code": code, **package_versions("tensorflow", "keras", "numpy")}


def _digest(data: Dataset) -> str:
    digest = hashlib.sha256()
    for name, array in data.arrays.items():
        digest.update(f"{name}:{array.dtype}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _digest_of_path(path: Path) -> str:
    """Over a file, or all files of a folder with their names."""
    return sha256_of_file(path) if path.is_file() else _digest_of_folder(path, sha256_of_file)


def _digest_of_data(calibration: str | None) -> str:
    """Over a file's content; of a folder over names, sizes and times: it may hold gigabytes of images."""
    if calibration is None:
        return "own"
    path = Path(calibration)
    if path.is_dir():
        return _digest_of_folder(path, lambda file: f"{file.stat().st_size}:{file.stat().st_mtime_ns}")
    return sha256_of_file(path) if path.exists() else calibration


def _digest_of_folder(folder: Path, told: Callable[[Path], str]) -> str:
    digest = hashlib.sha256()
    for file in sorted(item for item in folder.rglob("*") if item.is_file()):
        digest.update(f"{file.relative_to(folder)}:{told(file)};".encode())
    return digest.hexdigest()
