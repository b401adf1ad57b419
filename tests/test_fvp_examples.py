"""The Dockerfile and the CI examples pass the linters of those who read them; what they type exists."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FVP = ROOT / "fvp"
BIN = Path(sys.executable).parent


def check(*command: str | Path) -> None:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", [FVP, ROOT], ids=["fvp", "root"])
def test_the_dockerfiles_pass_hadolint(folder: Path) -> None:
    check(BIN / "hadolint", "--no-color", folder / "Dockerfile")


@pytest.mark.parametrize(
    ("schema", "file"),
    [("vendor.github-workflows", "github-actions.yml"), ("vendor.gitlab-ci", "gitlab-ci.yml")],
)
def test_ci_examples_follow_their_schemas(schema: str, file: str) -> None:
    check(BIN / "check-jsonschema", "--builtin-schema", schema, FVP / "ci" / file)


def test_the_schema_check_can_fail(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yml"
    wrong.write_text((FVP / "ci" / "github-actions.yml").read_text().replace("runs-on:", "run-on:"))
    with pytest.raises(AssertionError):
        check(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", wrong)


@pytest.mark.parametrize("file", ["ci/github-actions.yml", "ci/gitlab-ci.yml", "README.md", "Dockerfile"])
def test_options_that_are_shown_exist(file: str) -> None:
    """Each `deploy ...` line of the examples names a verb and options that its help knows."""
    text = (FVP / file).read_text().replace("\\\n#", " ")
    lines = set(re.findall(r"(?:^|[\s`])deploy ((?:fvp install|run-fvp|compile)\b[^`\n]*)", text))
    assert lines
    for line in lines:
        verb = line.split(" --")[0].split(maxsplit=2 if line.startswith("fvp") else 1)
        words = verb[:2] if line.startswith("fvp") else verb[:1]
        shown = subprocess.run(
            [sys.executable, "-m", "deploy", *words, "--help"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"COLUMNS": "300", "PATH": "/usr/bin:/bin", "TERM": "dumb"},
        ).stdout
        for option in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert option in shown, json.dumps(line)
