"""What begins before it is needed changes nothing but the time."""

import subprocess
import sys
from pathlib import Path

import pytest
from processes.child_programs import children

from deploy import tflite
from deploy.cli.latency import starting_vela
from deploy.compiling import vela
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import Supervisor

ASKED = compile_options(npu_named("U55-128"))


def test_vela_started_ahead_gives_what_its_command_gives_and_leaves_no_process(
    mlperf_tiny: dict[str, Path],
) -> None:
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    before = children()
    with starting_vela() as run:
        assert children() > before
        ahead = Compiler(run).compile(model, ASKED)
        again = Compiler(run).compile(model, ASKED)
    assert children() == before
    command = Compiler(Supervisor(limits=vela.LIMITS).run).compile(model, ASKED)
    assert ahead.output.model == again.output.model == command.output.model
    assert ahead.layers == command.layers
    with pytest.raises(BadInputError, match="damaged"), starting_vela() as run:
        vela.compile_bytes(b"damaged", ASKED, source="damaged", run=run)
    assert children() == before


def test_nothing_heavy_is_imported_before_vela_starts() -> None:
    script = "import sys, deploy.cli.compile, deploy.cli.latency, deploy.compiling.vela, deploy.processes.warm\n"
    script += "print(*{'numpy', 'pydantic', 'deploy.tflite', 'rich'}.intersection(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
