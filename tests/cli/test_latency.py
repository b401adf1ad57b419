"""What begins before it is needed changes nothing but the time."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from processes.child_programs import children

from deploy import tflite
from deploy.cli.latency import start_vela, starting_vela, with_first
from deploy.compiling import vela, vela_program
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.processes.supervisor import Ended, Supervisor

ASKED = compile_options(npu_named("U55-128"))


def test_vela_started_ahead_gives_what_its_command_gives_and_leaves_no_process(
    mlperf_tiny: dict[str, Path],
) -> None:
    model = tflite.read(mlperf_tiny["keyword_spotting"])
    before = children()
    with starting_vela() as run:
        assert children() - before
        ahead = Compiler(run).compile(model, ASKED)
        again = Compiler(run).compile(model, ASKED)
    assert children() <= before
    command = Compiler(Supervisor(limits=vela_program.LIMITS).run).compile(model, ASKED)
    assert ahead.output.model == again.output.model == command.output.model
    assert ahead.layers == command.layers
    with pytest.raises(BadInputError, match="damaged"), starting_vela() as run:
        vela.compile_bytes(b"damaged", ASKED, source="damaged", run=run)
    assert children() <= before


def test_nothing_heavy_is_imported_before_vela_starts() -> None:
    script = "import sys, deploy.cli.compile, deploy.cli.latency\n"
    script += "with deploy.cli.latency.starting_vela():\n"
    script += "    heavy = {'numpy', 'pydantic', 'deploy.tflite', 'deploy.compiling.vela', 'rich', 'email'}\n"
    script += "    print(*heavy.intersection(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_vela_is_started_by_the_words_of_a_compilation_alone_and_taken_over_by_it() -> None:
    before = children()
    for words in (["compile", "--help", "a.tflite"], ["verify", "a.tflite"], ["compile", "a.keras"], []):
        start_vela(words)
        assert children() <= before
    start_vela(["compile", "a.tflite", "--npu", "U55-128"])
    started = children()
    assert started - before
    with starting_vela(twin=True):
        assert children() <= started
    assert children() <= before


def test_nothing_is_imported_before_the_words_start_vela_but_what_starts_it() -> None:
    script = "import sys\nfrom deploy.cli.latency import start_vela\nstart_vela(['compile', 'a.tflite'])\n"
    script += "print(*{'click', 'typer', 'numpy', 'pydantic', 'deploy.tflite'}.intersection(sys.modules))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["numpy"], "which both of them need"


def test_vela_in_a_fork_of_the_command_writes_what_its_command_writes_to_the_last_byte(
    mlperf_tiny: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = mlperf_tiny["keyword_spotting"]
    command = Compiler(Supervisor(limits=vela_program.LIMITS).run).compile(tflite.read(model), ASKED).output
    script = f"""
import hashlib, pathlib
from deploy.processes.quick_start import quick_start
quick_start()
from deploy.cli.latency import start_vela, starting_vela
start_vela(["compile", "a.tflite"])
from deploy import tflite
from deploy.compiling.compile_options import compile_options
from deploy.compiling.compiler import Compiler
from deploy.hardware.npus import npu_named
from deploy.processes.forked import ForkedCall
with starting_vela() as run:
    assert isinstance(run.__self__._server.child, ForkedCall)
    model, options = tflite.read(pathlib.Path({str(model)!r})), compile_options(npu_named("U55-128"))
    output = Compiler(run).compile(model, options).output
for name, content in [("", output.model), *sorted(output.files.items())]:
    print(hashlib.sha256(content).hexdigest(), name)
"""
    expected = [("", command.model), *sorted(command.files.items())]
    for size in (0, 700, 3000):  # of the environment, which shifts what is in memory
        monkeypatch.setenv("SHIFTS", "x" * size)
        found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert [line.split(" ", 1) for line in found.stdout.splitlines()] == [
            [hashlib.sha256(content).hexdigest(), name] for name, content in expected
        ]


@pytest.mark.parametrize(
    ("needed", "others"),
    [
        (
            "deploy.compiling.vela_ahead, deploy.zoo.model_source, deploy.intake.taking",
            "deploy.compiling.vela deploy.quantizing.float_model deploy.judging.reference pydantic email",
        ),
        ("deploy.verifying.build_check", "deploy.npu.stream.u85_operations deploy.verifying.npu_parameters"),
    ],
)
def test_what_a_usual_compilation_waits_for_does_without_what_others_need(needed: str, others: str) -> None:
    script = f"import sys, {needed}\nprint(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert {*others.split()}.isdisjoint(found.stdout.split())


def test_what_goes_with_the_first_run_is_begun_before_it_and_once() -> None:
    events: list[str] = []

    def run(command: Sequence[str], _folder: Path, *, timeout_s: float) -> Ended:
        events.append(f"{command[0]} {timeout_s:g}")
        return Ended(0, False, "")

    running = with_first(run, lambda: events.append("begun"))
    assert running(["one"], Path(), timeout_s=1).status == 0
    running(["two"], Path(), timeout_s=2)
    assert events == ["begun", "one 1", "two 2"]


def test_where_there_is_no_charting_library_nothing_is_imported_for_a_report(built: Path, tmp_path: Path) -> None:
    build = tmp_path / "build"
    shutil.copytree(built, build)
    script = "import sys\nfrom deploy.reporting.charts import library\nlibrary.PACKAGE = 'no such package'\n"
    script += "from deploy.cli.main import run\nstatus = run(sys.argv[1:])\n"
    script += "print(status, *{'jinja2', 'deploy.reporting.pages.build'}.intersection(sys.modules))"
    words = [sys.executable, "-c", script, "verify", str(build), "--quiet"]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "0"
