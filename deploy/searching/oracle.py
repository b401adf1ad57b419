"""How many cycles a network takes: Vela's estimate, or the roofline's in a millisecond.

Vela needs the network quantized. Its weights are random but always the same, so that the figure is one of the
network and not of its training; Vela's cycles depend a little on how well weights compress.
"""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import deploy
from deploy.build_folder import Figure
from deploy.chatter import silenced
from deploy.compiling.compile_options import compile_options
from deploy.errors import BadInputError
from deploy.hardware.npus import Npu
from deploy.models.mobilenetv4.blocks import Network
from deploy.models.mobilenetv4.builder import INPUT_NAME, build_network, import_keras
from deploy.models.mobilenetv4.predicted import predicted_layers
from deploy.processes import warm
from deploy.quantizing import converter
from deploy.quantizing.dataset import Dataset
from deploy.quantizing.float_model import freeze_keras
from deploy.roofline import estimate
from deploy.searching.documents import CYCLES, NetworkRecord, OracleName
from deploy.sweeping.cache import Cache, key_of
from deploy.sweeping.code_digest import code_digest
from deploy.sweeping.documents import PointResult
from deploy.sweeping.jobs import compile_point, request_of, versions
from deploy.zoo.networks import settle

ORACLES: tuple[OracleName, ...] = ("vela", "roofline")
CLASSES = 10

_SEED = 1
_KEPT = (CYCLES, "inference_time", "sram_peak", "flash")


def versions_of(oracle: OracleName) -> dict[str, str]:
    """Of what a network's figures depend on.

    Raises:
        NotInstalledError: TensorFlow or Vela is missing.
    """
    return {**_builders(), **(versions() if oracle == "vela" else {"deploy": deploy.__version__})}


def _builders() -> dict[str, str]:
    with silenced():
        import_keras()
    return {name: importlib.metadata.version(name) for name in ("tensorflow", "keras", "numpy")}


def oracle_of(
    name: OracleName, npu: Npu, images: NDArray[np.float32], cache: Cache
) -> Callable[[Network], tuple[Figure, ...]]:
    """What estimates networks for an NPU, with its default system configuration and memory mode.

    Args:
        name: ``vela`` or ``roofline``.
        npu: to estimate for.
        images: float32 [N, size, size, 1] in [0, 1], to quantize with.
        cache: of Vela's estimates, by network, versions and NPU.

    Returns:
        Gives the figures of a network, ``total_cycles`` among them; raises a BadInputError for a network that
        cannot be quantized or compiled, or of which a part does not run on the NPU.

    Raises:
        BadInputError: the roofline does not cover the NPU.
        NotInstalledError: TensorFlow or Vela is missing.
    """
    if name == "vela":
        return VelaOracle(npu, images, cache)
    estimate((), npu)  # refuses an NPU that it does not cover before any work is done
    return functools.partial(_roofline, npu)


def _roofline(npu: Npu, network: Network) -> tuple[Figure, ...]:
    layers = predicted_layers(network, size=network.size, channels=1, classes=CLASSES)
    source = f"roofline of {npu.name}"
    value = estimate(layers, npu).cycles
    return (Figure(name=CYCLES, value=value, unit="cycles", label="estimate", source=source),)


class VelaOracle:
    """Compiles networks for one NPU, each only once; see :func:`oracle_of`."""

    def __init__(self, npu: Npu, images: NDArray[np.float32], cache: Cache) -> None:
        self._images, self._cache = images, cache
        self._request = request_of(compile_options(npu))
        self._built_by = {
            **_builders(),
            "deploy's code": code_digest("deploy.models", "deploy.quantizing", "deploy.searching", "deploy.zoo"),
        }

    def __call__(self, network: Network) -> tuple[Figure, ...]:
        """Figures of a network.

        Raises:
            BadInputError: it cannot be quantized or compiled, or not all of it runs on the NPU.
        """
        record = NetworkRecord.of(network).model_dump(mode="json")
        key = key_of("cycles", {"network": record, **self._request, "built by": self._built_by})
        if (known := self._cache.get(key)) is not None:
            return tuple(Figure.model_validate(figure) for figure in known["figures"])
        answer: dict[str, Any] = compile_point(self._quantized(network), self._request)
        if "error" in answer:
            raise BadInputError(str(answer["error"]))
        result = PointResult.model_validate(answer)
        if result.cpu_operators:  # whose time Vela does not count
            raise BadInputError(f"operators on the CPU: {', '.join(result.cpu_operators)}")
        figures = tuple(figure for figure in result.figures if figure.name in _KEPT)
        self._cache.put(key, {"figures": [figure.model_dump() for figure in figures]})
        return figures

    def _quantized(self, network: Network) -> bytes:
        with silenced():
            keras = import_keras()
            keras.utils.clear_session()
            keras.utils.set_random_seed(_SEED)
            model = build_network(network, size=network.size, channels=1, classes=CLASSES)
            settle(model, self._images)
            frozen = freeze_keras(model, "the network", "network")
        data = Dataset("images", {INPUT_NAME: self._images})
        # Half of what a conversion takes is to load TensorFlow (measured): once is enough.
        run = warm.pool(converter.MODULE, "tensorflow.lite.python.lite").run
        conversion = converter.convert(frozen, data, "uint8", run=run)
        if conversion.strict is None:
            raise BadInputError(f"the TFLite converter refuses the network: {conversion.reason.strip()[:300]}")
        return conversion.strict
