"""Builds and projects that the firmware tests share."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import stateful_networks
from c_server import CServer
from compiled_model import compiled
from host_compiler import FIRMWARE, HERE, compile_for_host
from small_model import small_model

from deploy.build_folder import BuildFolder
from deploy.firmware_project.firmware_build import write_project


@pytest.fixture(scope="session")
def small_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The small two-output network for U55-128."""
    return compiled(tmp_path_factory.mktemp("small"), small_model())


@pytest.fixture(scope="session")
def u65_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The small network for U65-256 with a dedicated SRAM."""
    return compiled(tmp_path_factory.mktemp("small65"), small_model(), "U65-256")


@pytest.fixture(scope="session")
def u85_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The small network for U85-256."""
    return compiled(tmp_path_factory.mktemp("small85"), small_model(), "U85-256")


@pytest.fixture(scope="session")
def cpu_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """The small network with an operator that stays on the CPU."""
    return compiled(tmp_path_factory.mktemp("cpu"), small_model(log_softmax_on_cpu=True))


@pytest.fixture(scope="session")
def stream_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """A network with a resource variable and initial values of it."""
    initial = np.arange(12, dtype=np.int8).reshape(1, 3, 1, 4)
    return compiled(tmp_path_factory.mktemp("stream"), stateful_networks.stream(initial))


@pytest.fixture(scope="session")
def lstm_build(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """A network of two LSTM layers, with variable tensors."""
    return compiled(tmp_path_factory.mktemp("lstm"), stateful_networks.lstm(2, 3))


@pytest.fixture(scope="session")
def small_project(small_build: BuildFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered ``npu`` project of the small network."""
    folder = tmp_path_factory.mktemp("project")
    write_project(small_build, "npu", folder=folder)
    return folder


@pytest.fixture(scope="session")
def server_library(small_project: Path, tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C server with the small network's tables, compiled for this computer."""
    names = ("server.c", "mailbox.c", "host_files.c", "notice.c", "frame.c", "crc32.c", "message.c")
    sources = [HERE / "server_harness.c", small_project / "model" / "network.c", *(FIRMWARE / n for n in names)]
    output = tmp_path_factory.mktemp("server") / "server.so"
    flags = ["-shared", "-fPIC"]
    return ctypes.CDLL(str(compile_for_host(output, sources, includes=[small_project / "model"], flags=flags)))


@pytest.fixture
def c_server(server_library: ctypes.CDLL) -> Iterator[CServer]:
    """A fresh server on a TCP port of this computer."""
    with CServer(server_library) as server:
        yield server


@pytest.fixture(scope="session")
def toolchain() -> None:
    """Skips where the cross compiler is not installed."""
    for program in ("cmake", "arm-none-eabi-gcc"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
