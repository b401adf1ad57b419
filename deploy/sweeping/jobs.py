"""The jobs of a sweep, as workers run them: bytes and plain dictionaries in, plain dictionaries out.

A job that fails returns ``{"error": one sentence}``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import deploy
from deploy import tflite
from deploy.build_folder import sha256_of_bytes
from deploy.compiling import vela, vela_program
from deploy.compiling.compilation import check_model
from deploy.compiling.compile_options import CompileOptions
from deploy.compiling.compiler import Compiler
from deploy.errors import DeployError
from deploy.hardware.npus import npu_named
from deploy.judging.sample_bytes import unpack_samples
from deploy.judging.versions import package_versions
from deploy.processes import warm
from deploy.sweeping.cache import code_digest
from deploy.sweeping.documents import PointResult
from deploy.tflite import Model


def request_of(options: CompileOptions) -> dict[str, Any]:
    """What a worker needs to know of a target, and what a result depends on beside the network."""
    return {
        "npu": options.npu.name,
        "system_config": options.system_config,
        "memory_mode": options.memory_mode,
        "optimise": options.optimise,
        "sram_limit": options.sram_limit,
        "decided by": deciding(),
    }


def deciding() -> dict[str, str]:
    """What decides a result beside the network and the options.

    Raises:
        NotInstalledError: Vela is missing.
    """
    code = code_digest("deploy.compiling", "deploy.hardware", "deploy.sweeping", "deploy.tflite")
    return {"ethos-u-vela": vela.version(), "deploy's code": code}


def versions() -> dict[str, str]:
    """Of the tools that compute a result, for people.

    Raises:
        NotInstalledError: Vela is missing.
    """
    return {"deploy": deploy.__version__, "ethos-u-vela": vela.version()}


def compile_point(content: bytes, request: Mapping[str, Any]) -> dict[str, Any]:
    """Compile a network for one target.

    Returns:
        A :class:`PointResult`, or an error.
    """
    try:
        if request["decided by"] != (own := deciding()):
            ours, theirs = _text(own), _text(request["decided by"])
            return {"error": f"the worker has {ours}, the computer that asks has {theirs}"}
        options = CompileOptions(
            npu_named(request["npu"]),
            request["system_config"],
            request["memory_mode"],
            request["optimise"],
            request["sram_limit"],
        )
        model = _model(content)
        warnings = check_model(model, "the model")
        pool = warm.pool(vela_program.MODULE, vela_program.IMPORTED, vela_program.LIMITS)
        compiled = Compiler(pool.run).compile(model, options)
        return PointResult(
            compiled_sha256=sha256_of_bytes(compiled.output.model),
            figures=compiled.figures,
            cpu_operators=tuple(operator.type for operator in compiled.cpu_operators),
            warnings=(*warnings, *compiled.placement.warnings),
            versions=versions(),
        ).model_dump(mode="json")
    except DeployError as error:
        return {"error": error.message.removeprefix("the model: ")}


def count_right(content: bytes, samples: bytes, true: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Run a quantized model with the reference kernels and count the right classes.

    Args:
        content: the quantized model.
        samples: of :func:`deploy.judging.sample_bytes.pack_samples`.
        true: output -> the true class number of each sample.

    Returns:
        ``{"right": {output: how many}, "inputs": how many, "kernels": what ran}``, or an error.
    """
    from deploy.judging.reference import ReferenceKernels

    try:
        kernels = ReferenceKernels(_model(content))
        right = dict.fromkeys(true, 0)
        inputs = unpack_samples(samples)
        for index, sample in enumerate(inputs):
            outputs = kernels.run(sample)
            for name, numbers in true.items():
                right[name] += int(int(outputs[name].argmax()) == numbers[index])
        return {"right": right, "inputs": len(inputs), "kernels": f"{kernels.name} {kernels.version}"}
    except DeployError as error:
        return {"error": error.message}


def kernels() -> dict[str, str]:
    """What decides an accuracy beside the network and the data: the reference kernels, and what feeds them."""
    code = code_digest("deploy.judging", "deploy.sweeping", "deploy.tflite")
    return {**package_versions("ai-edge-litert"), "deploy's code": code}


@functools.lru_cache(maxsize=4)
def _model(content: bytes) -> Model:
    """A model is compiled for many targets, one after the other."""
    return tflite.load(content, source="the model")


def _text(named: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version[:12]}" for name, version in named.items())
