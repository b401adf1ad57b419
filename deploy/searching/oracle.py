"""How many cycles a network takes: Vela's estimate, or the roofline's.

Vela needs the network quantized, and so does the roofline where the project does not tell its layers. The weights
are random but always the same, so that the figure is one of the network and not of its training; Vela's cycles
depend a little on how well weights compress.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import deploy
from deploy import tflite
from deploy.build_folder import Figure, sha256_of_bytes
from deploy.chatter import silenced
from deploy.compiling.compile_options import compile_options
from deploy.errors import BadInputError
from deploy.hardware.npus import Npu
from deploy.judging.versions import package_versions
from deploy.processes import warm
from deploy.quantizing import converter, dataset
from deploy.quantizing.float_model import freeze_keras, import_keras
from deploy.roofline import estimate, layers
from deploy.searching.documents import CYCLES, OracleName
from deploy.searching.finding import Searched
from deploy.searching.problem import Problem
from deploy.searching.proxy import built
from deploy.searching.space import Description
from deploy.sweeping.cache import Cache, code_digest, key_of
from deploy.sweeping.documents import PointResult
from deploy.sweeping.jobs import compile_point, request_of, versions
from deploy.zoo.networks import settle

ORACLES: tuple[OracleName, ...] = ("vela", "roofline")

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
    return package_versions("tensorflow", "keras", "numpy")


def oracle_of(
    name: OracleName, npu: Npu, found: Searched, cache: Cache
) -> Callable[[Description], tuple[Figure, ...]]:
    """What estimates networks for an NPU, with its default system configuration and memory mode.

    Returns:
        Gives the figures of a network, ``total_cycles`` among them; raises a BadInputError for a network that
        cannot be quantized or compiled, or of which a part does not run on the NPU.

    Raises:
        BadInputError: the roofline does not cover the NPU.
        NotInstalledError: TensorFlow or Vela is missing.
    """
    if name == "vela":
        return VelaOracle(npu, found, cache)
    estimate((), npu)  # refuses an NPU that it does not cover before any work is done

    def roofline(network: Description) -> tuple[Figure, ...]:
        tell = found.problem.layers
        told = tell(network) if tell else layers(tflite.load(quantized(found.problem, network)))
        value, source = estimate(told, npu).cycles, f"roofline of {npu.name}"
        return (Figure(name=CYCLES, value=value, unit="cycles", label="estimate", source=source),)

    return roofline


class VelaOracle:
    """Compiles networks for one NPU, each only once; see :func:`oracle_of`."""

    def __init__(self, npu: Npu, found: Searched, cache: Cache) -> None:
        self._problem, self._cache = found.problem, cache
        self._request = request_of(compile_options(npu))
        arrays = found.problem.samples.values()
        self._depends = {
            **self._request,
            "model": found.model,
            "calibration": [sha256_of_bytes(array.tobytes()) for array in arrays],
            "built by": {**_builders(), **found.versions},
            "deploy's code": code_digest("deploy.models", "deploy.quantizing", "deploy.searching", "deploy.zoo"),
        }

    def __call__(self, network: Description) -> tuple[Figure, ...]:
        """Figures of a network.

        Raises:
            BadInputError: it cannot be quantized or compiled, or not all of it runs on the NPU.
        """
        key = key_of("cycles", {"network": network, **self._depends})
        if (known := self._cache.get(key)) is not None:
            return tuple(Figure.model_validate(figure) for figure in known["figures"])
        answer: dict[str, Any] = compile_point(quantized(self._problem, network), self._request)
        if "error" in answer:
            raise BadInputError(str(answer["error"]))
        result = PointResult.model_validate(answer)
        if result.cpu_operators:  # whose time Vela does not count
            raise BadInputError(f"operators on the CPU: {', '.join(result.cpu_operators)}")
        figures = tuple(figure for figure in result.figures if figure.name in _KEPT)
        self._cache.put(key, {"figures": [figure.model_dump() for figure in figures]})
        return figures


def quantized(problem: Problem, network: Description) -> bytes:
    """A network with random weights as a quantized ``.tflite``, uint8 inputs and outputs.

    Raises:
        BadInputError: the calibration data does not fit it, or the converter refuses it.
    """
    arrays = problem.samples
    with silenced():
        model = built(problem, network, _SEED)
        images = next(iter(arrays.values()))
        if len(model.inputs) == 1 and images.shape[1:] == tuple(model.inputs[0].shape[1:]):
            settle(model, images)
        frozen = freeze_keras(model, "the network", "network")
    samples = dataset.of_arrays("the project's calibration data", arrays, frozen.inputs, len(images))
    # Half of what a conversion takes is to load TensorFlow (measured): once is enough.
    run = warm.pool(converter.MODULE, "tensorflow.lite.python.lite").run
    conversion = converter.convert(frozen, samples, "uint8", run=run)
    if conversion.strict is None:
        raise BadInputError(f"the TFLite converter refuses the network: {conversion.reason.strip()[:300]}")
    return conversion.strict
