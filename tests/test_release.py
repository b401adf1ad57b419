"""What a tag sets off: it is the package's version, what is published was tested, one job alone may publish."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import deploy

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / ".github" / "workflows"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def workflow(name: str) -> dict[str, Any]:
    """A workflow; YAML takes the key `on` for a truth."""
    content: dict[Any, Any] = yaml.safe_load((WORKFLOWS / name).read_text(encoding="utf-8"))
    return {"on" if key is True else str(key): value for key, value in content.items()}


JOBS: dict[str, Any] = workflow("release.yml")["jobs"]


def before(job: str) -> set[str]:
    """The jobs that have to succeed before one begins."""
    needs = JOBS[job].get("needs", [])
    direct = {needs} if isinstance(needs, str) else set(needs)
    return direct.union(*map(before, direct))


def commands(job: str) -> list[str]:
    return [step["run"] for step in JOBS[job].get("steps", []) if "run" in step]


def test_only_a_tag_of_a_version_sets_it_off() -> None:
    assert workflow("release.yml")["on"] == {"push": {"tags": ["v*"]}}
    assert "tags" not in workflow("wheels.yml")["on"]["push"], "wheels would be built twice"
    assert "workflow_call" in workflow("wheels.yml")["on"]
    assert JOBS["build"]["uses"] == "./.github/workflows/wheels.yml"


def test_a_tag_that_is_not_the_version_of_the_package_or_not_in_the_changelog_is_refused() -> None:
    version, changelog = commands("version")
    assert f'__version__ = "{deploy.__version__}"' in (ROOT / "deploy" / "__init__.py").read_text().splitlines()
    assert version == 'grep -qxF "__version__ = \\"${GITHUB_REF_NAME#v}\\"" deploy/__init__.py'
    assert changelog == 'grep -q "^## ${GITHUB_REF_NAME#v} - [0-9]" CHANGELOG.md'
    assert re.search(rf"^## {re.escape(deploy.__version__)} - ", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_nothing_is_published_before_everything_is_checked() -> None:
    assert before("publish") == {"version", "build", "check", "works"}
    assert all("publish" in before(job) for job in ("page", "image"))


def test_the_wheel_does_the_main_job_on_every_python() -> None:
    pythons = [line.split(" :: ")[2] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]
    assert JOBS["works"]["strategy"]["matrix"]["python"] == pythons


def test_only_the_job_that_publishes_may_say_who_it_is() -> None:
    assert workflow("release.yml")["permissions"] == {"contents": "read"}
    allowed = {job: content["permissions"] for job, content in JOBS.items() if "permissions" in content}
    assert allowed == {
        "publish": {"id-token": "write"},
        "page": {"contents": "write"},
        "image": {"contents": "read", "packages": "write"},
    }
    assert JOBS["publish"]["environment"] == "pypi"
    assert "secrets." not in (WORKFLOWS / "release.yml").read_text()
    actions = [step["uses"].split("@")[0] for step in JOBS["publish"]["steps"]]
    assert actions == ["actions/download-artifact", "pypa/gh-action-pypi-publish"]
    assert commands("publish") == []


def test_what_the_registry_gets_is_what_the_check_packed() -> None:
    packed = [step["with"] for step in JOBS["check"]["steps"] if step.get("uses", "").startswith("actions/upload")]
    assert [each["name"] for each in packed] == ["distributions"]
    assert packed[0]["path"].split() == ["dist", "sbom.cdx.json"]
    assert JOBS["publish"]["steps"][0]["with"]["name"] == "distributions"


@pytest.mark.parametrize("extras", ["tensorflow,charts", "tensorflow,quantizer,charts,dask"])
def test_the_extras_that_are_installed_exist(extras: str) -> None:
    text = (ROOT / "Dockerfile").read_text() + (WORKFLOWS / "release.yml").read_text()
    assert f"[{extras}]" in text
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_has_the_versions_of_the_lock_file_of_its_python() -> None:
    text = (ROOT / "Dockerfile").read_text()
    versions = set(re.findall(r"^FROM python:(3\.\d+)-", text, re.MULTILINE))
    assert len(versions) == 1
    assert re.findall(r"locks/python-(3\.\d+)\.txt", text) == [*versions]
    locked = (ROOT / "locks" / f"python-{versions.pop()}.txt").read_text()
    kept = [line.rstrip(" \\") for line in locked.splitlines() if "--hash" not in line]
    pins = [line for line in kept if line and not line.lstrip().startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+(\[\S+\])?==\S+( ; .+)?", line) for line in pins)
    assert not any("[" in line.split(";")[0] for line in pins), "a constraint has no extras"


def test_the_image_is_built_from_what_the_package_needs() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    for name in (
        "deploy",
        "models",
        "firmware",
        "fvp",
        "templates",
        "locks",
        "pyproject.toml",
        "setup.py",
        "README.md",
    ):
        assert name not in ignored
        assert (ROOT / name).exists()
