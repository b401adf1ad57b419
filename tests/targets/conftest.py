"""Builds that the tests of targets share."""

from __future__ import annotations

import pytest
from written import written_build

from deploy.build_folder import BuildFolder


@pytest.fixture(scope="session")
def one_operator(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Many operations of one ``ethos-u`` operator for U55-128."""
    return written_build(tmp_path_factory, "U55-128", cpu=False)


@pytest.fixture(scope="session")
def several_operators(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """Three ``ethos-u`` operators for U55-128 with two operators on the CPU between them."""
    return written_build(tmp_path_factory, "U55-128", cpu=True)


@pytest.fixture(scope="session")
def dedicated_memory(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """One ``ethos-u`` operator for U65-256 with a memory of its own, which transfers fill."""
    return written_build(tmp_path_factory, "U65-256", cpu=False)
