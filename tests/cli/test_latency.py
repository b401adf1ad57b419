"""What begins before it is needed changes nothing but the time."""

from pathlib import Path

import pytest
from processes.child_programs import children

from deploy.cli.latency import starting_vela
from deploy.compiling import vela
from deploy.compiling.vela import VelaOptions
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named

U55 = npu_named("U55-128")
ASKED = VelaOptions(U55, U55.system_config, U55.memory_mode)


def test_vela_started_ahead_gives_what_its_command_gives_and_leaves_no_process(
    mlperf_tiny: dict[str, Path],
) -> None:
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    before = children()
    with starting_vela() as run:
        assert children() > before
        ahead = vela.compile_bytes(content, ASKED, source="kws", run=run)
        again = vela.compile_bytes(content, ASKED, source="kws", run=run)
    assert children() == before
    command = vela.compile_bytes(content, ASKED, source="kws")
    assert ahead.compiled == again.compiled == command.compiled
    assert ahead.layers == command.layers
    with pytest.raises(BadInputError, match="damaged"), starting_vela() as run:
        vela.compile_bytes(b"damaged", ASKED, source="damaged", run=run)
    assert children() == before
