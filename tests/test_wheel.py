"""The built wheel, installed without TensorFlow in an empty environment, runs the main job as a checkout does."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import deploy

pytestmark = pytest.mark.early

ROOT = Path(__file__).parent.parent


def run(*words: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | variables
    return subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def made_without_a_compiler(folder: Path) -> Path:
    """A wheel of the source distribution, made where the compiler fails."""
    sdist = run(sys.executable, "-m", "build", "--sdist", "--outdir", folder, ROOT, cwd=folder)
    assert sdist.returncode == 0, sdist.stderr
    words = ("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder)
    done = run(sys.executable, "-m", *words, next(folder.glob("*.tar.gz")), cwd=folder, CC="false")
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    done = run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, cwd=folder)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def metadata(folder: Path, **variables: str) -> str:
    """What the build backend says of the checkout to a registry."""
    words = (
        f"from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel({str(folder)!r}))"
    )
    done = run(sys.executable, "-c", words, cwd=ROOT, **variables)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.dist-info/METADATA")).read_text()


def test_links_of_the_description_lead_into_the_repository_s_tag(tmp_path: Path) -> None:
    said = metadata(tmp_path, DEPLOY_REPOSITORY="https://forge.example/us/it")
    tag = f"v{deploy.__version__}"
    assert f"\nProject-URL: Changelog, https://forge.example/us/it/blob/{tag}/CHANGELOG.md\n" in said
    assert "\nDescription-Content-Type: text/markdown\n" in said
    links = re.findall(r"\]\((\S+?)\)", said)
    assert len(links) > 20
    for link in links:
        assert link.startswith(("https://", "#"))
        kind, path = re.fullmatch(rf"https://forge.example/us/it/(blob|raw)/{tag}/([^#]+)(?:#.*)?", link).groups()
        assert (ROOT / path).exists()
        assert (kind == "raw") == path.endswith(".png")


def test_without_an_address_the_description_keeps_the_words_of_its_links(tmp_path: Path) -> None:
    said = metadata(tmp_path, DEPLOY_REPOSITORY="")
    assert "](docs" not in said
    assert "Project-URL" not in said
    assert "Quick start. Tutorials: the main job" in said


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("environment") / "venv"
    python = folder / "bin" / "python"
    for words in (["venv", "--python", sys.executable, folder], ["pip", "install", "--python", python, wheel]):
        done = run(Path(sys.executable).parent / "uv", *words, "--no-config", "--quiet", cwd=folder.parent)
        assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_wheel_holds_the_packages_and_their_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "deploy/py.typed" in names
    assert "deploy/models/multihead_mobilenetv3/builder.py" in names
    data = (path.relative_to(ROOT / "fvp") for path in (ROOT / "fvp").rglob("*") if path.is_file())
    assert {f"deploy/fvp/{path}" for path in data if path.suffix != ".pyc"} <= names
    for folder, prefix in (("deploy/hardware", "deploy/hardware"), ("templates", "deploy/templates")):
        files = (path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*.*") if path.is_file())
        assert {f"{prefix}/{path}" for path in files if path.suffix != ".pyc"} <= names
    assert any(name.startswith("deploy/models/multihead_mobilenetv3/") and name.endswith(".h5") for name in names)
    assert not any(name.startswith(("tests/", "models/", "benchmarks/")) for name in names)


def test_the_wheel_comes_with_its_licence(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    [licence] = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert "\nLicense-Expression: Apache-2.0\n" in archive.read(metadata).decode()


@pytest.mark.slow
def test_a_registry_would_take_the_distributions(wheel: Path, tmp_path: Path) -> None:
    shutil.copy(wheel, tmp_path)
    done = run(sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, ROOT, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run("sh", ROOT / ".ci" / "distributions", tmp_path, cwd=tmp_path, PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_wheel_has_the_compiled_core_for_every_python_from_3_11_on(wheel: Path) -> None:
    assert re.fullmatch(r"ethosu_deploy-[\d.]+-cp311-abi3-(linux|macosx)_\w+\.whl", wheel.name)
    assert "deploy/npu/core/native.abi3.so" in zipfile.ZipFile(wheel).namelist()


def test_the_core_of_the_wheel_computes_what_numpy_does(environment: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "npu", tmp_path / "tests" / "npu")
    done = run(environment / "python", "-m", "tests.npu.core.installed", "--seeds", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(str(environment.parent))


@pytest.mark.slow
def test_the_source_distribution_installs_without_a_compiler_and_computes_in_numpy(tmp_path: Path) -> None:
    made = made_without_a_compiler(tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    for words in (
        ["venv", "--python", sys.executable, tmp_path / "venv"],
        ["pip", "install", "--python", python, made],
    ):
        done = run(Path(sys.executable).parent / "uv", *words, "--no-config", "--quiet", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    code = "from deploy.npu.core.library import native; print(native())"
    assert run(python, "-c", code, cwd=tmp_path).stdout == "None\n"
    doctor = run(python.parent / "deploy", "doctor", cwd=tmp_path, COLUMNS="300")
    assert "not compiled: NumPy computes the same, slowly" in doctor.stdout
    shutil.copytree(ROOT / "tests" / "npu", tmp_path / "tests" / "npu")
    done = run(python, "-m", "tests.npu.core.installed", cwd=tmp_path)
    assert (done.returncode, "without the compiled core" in done.stdout) == (1, True)


def test_every_python_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, prefix in (("deploy", "deploy"), ("models", "deploy/models")):
        for path in (ROOT / folder).rglob("*.py"):
            assert f"{prefix}/{path.relative_to(ROOT / folder)}" in names


@pytest.mark.system
def test_an_empty_environment_compiles_and_verifies_a_model(
    environment: Path, tiny_tflite: Path, tmp_path: Path
) -> None:
    done = run(environment / "python", "-c", "import tensorflow", cwd=tmp_path)
    assert done.returncode != 0, "the base install is meant to have no TensorFlow"
    done = run(environment / "deploy", "compile", tiny_tflite, "--npu", "U55-128", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = run(
        environment / "deploy", "run-fvp", "--fvp", "open", "--count", "2", "--json", "v.json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((tmp_path / "v.json").read_text())
    assert (verdict["verdict"], verdict["inputs"]) == ("pass", 2)


def test_an_empty_environment_lists_its_models_and_names_the_extra_for_building_one(
    environment: Path, tmp_path: Path
) -> None:
    done = run(environment / "deploy", "models", "list", cwd=tmp_path)
    assert "multihead-mobilenetv3" in done.stdout
    done = run(environment / "deploy", "models", "build", "multihead-mobilenetv3", "-o", "m.keras", cwd=tmp_path)
    assert done.returncode == 3
    assert "pip install tensorflow==" in done.stderr
    assert not (tmp_path / "m.keras").exists()


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["uv", "pipx"])
def test_it_installs_as_a_command_of_its_own(tool: str, wheel: Path, tmp_path: Path) -> None:
    uv, programs = Path(sys.executable).parent / "uv", tmp_path / "bin"
    if tool == "uv":
        folders = {"UV_TOOL_DIR": str(tmp_path / "tools"), "UV_TOOL_BIN_DIR": str(programs)}
        words: list[str | Path] = [uv, "tool", "install", "--no-config", "--python", sys.executable, wheel]
    else:
        folders = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(programs)}
        pipx = (uv, "tool", "run", "--from", "pipx>=1.7,<2", "pipx")
        words = [*pipx, "install", "--python", sys.executable, wheel]
    done = run(*words, cwd=tmp_path, **folders)
    assert done.returncode == 0, done.stderr
    said = run(programs / "deploy", "--version", cwd=tmp_path)
    assert deploy.__version__ in said.stdout
    looked = run(programs / "deploy", "doctor", cwd=tmp_path)
    assert (looked.returncode, "the main job can run" in looked.stdout) == (0, True), looked.stdout


def test_the_quick_start_names_both() -> None:
    page = (ROOT / "docs" / "quick-start.md").read_text(encoding="utf-8")
    for command in ("pipx install ", "uv tool install "):
        assert f'{command}".[tensorflow,charts]"' in page
