"""``deploy.toml`` (or ``[tool.deploy]`` in pyproject.toml): every option of the command line, kept with a project.

The command line wins over the file. Unknown keys are errors that name the nearest known key.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.errors import BadInputError
from deploy.files import write_text

SETTINGS_FILE = "deploy.toml"
_LAST_BUILD = Path("build") / ".last-build.json"


class Settings(BaseModel):
    """What ``deploy.toml`` may hold; every key is optional and named as the option is."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    model: str | None = Field(
        default=None,
        description="model to compile: .keras, .h5, SavedModel folder, .tflite, FILE.py:function, models:NAME",
    )
    set: list[str] | None = Field(
        default=None,
        description="options of a network that models:NAME or FILE.py:function builds, KEY=VALUE each",
    )
    calibration: str | None = Field(
        default=None, description="real data to quantize with: .npz, .npy, image folder, FILE.py:function, random"
    )
    samples: int | None = Field(default=None, gt=0, description="calibration samples to use")
    io: str | None = Field(
        default=None, pattern="^(uint8|int8)$", description="type of the quantized inputs and outputs"
    )
    npu: str | None = Field(default=None, description="U55-32, U55-64, U55-128, U55-256, U65-256, U65-512")
    system_config: str | None = Field(default=None, description="section of Vela's configuration file")
    memory_mode: str | None = Field(default=None, description="section of Vela's configuration file")
    optimise: str | None = Field(default=None, pattern="^(Performance|Size)$", description="Vela's strategy")
    sram_limit: str | int | None = Field(
        default=None, description="largest SRAM a model may take: bytes, or 512K, 2M"
    )
    advice: str | None = Field(
        default=None,
        pattern="^(none|quick|full)$",
        description="what compile says would make the model cheaper: none, quick, or full, which takes minutes",
    )
    build: str | None = Field(default=None, description="build folder")
    firmware: str | None = Field(default=None, description="what run-fvp boots")
    fvp: str | None = Field(default=None, description="simulator: path of Arm's FVP, docker:IMAGE, or open")
    inputs: str | None = Field(default=None, description=".npz with the arrays that run-fvp feeds, by input name")
    labels: str | None = Field(default=None, description=".json with class names and true labels per output")
    count: int | None = Field(default=None, gt=0, description="how many inputs run-fvp feeds")
    jobs: int | None = Field(default=None, gt=0, description="machines side by side")
    tolerance: float | None = Field(default=None, ge=0, description="largest difference that passes, in LSB")
    timeout: float | None = Field(default=None, gt=0, description="seconds that one boot may take")
    timing: bool | None = Field(default=None, description="have Arm's FVP count the NPU's cycles, which is slow")


def load(folder: Path | None = None) -> Settings:
    """Read the settings of a project folder (default: the working folder); empty settings where there are none.

    Paths in the file are relative to the folder it lies in.

    Raises:
        BadInputError: the file is not TOML, holds an unknown key, or a value of the wrong kind.
    """
    folder = folder or Path()
    own, shared = folder / SETTINGS_FILE, folder / "pyproject.toml"
    if own.exists():
        return parse(_toml(own), str(own))
    if shared.exists():
        table = _toml(shared).get("tool", {}).get("deploy")
        if table is not None:
            return parse(table, f"{shared} [tool.deploy]")
    return Settings.model_construct()  # nothing to validate, so no validator to build


def parse(table: dict[str, Any], source: str) -> Settings:
    """Check a table of settings; ``source`` names it in errors.

    Raises:
        BadInputError: an unknown key (the nearest known one is named) or a value of the wrong kind.
    """
    known = list(Settings.model_fields)
    table = {key.replace("-", "_"): value for key, value in table.items()}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean `{near[0]}`?" if near else f"known keys: {', '.join(known)}"
            raise BadInputError(f"{source}: unknown key `{key}`", hints=[hint])
    try:
        return Settings.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInputError(
            f"{source}: `{first['loc'][0]}` = {first['input']!r}: {first['msg']}",
            hints=[f"`{first['loc'][0]}`: {Settings.model_fields[str(first['loc'][0])].description}"],
        ) from error


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not valid TOML: {error}") from error


def template(folder: Path) -> str:
    """The text of a commented ``deploy.toml``: every key with what it means, set where the folder shows it.

    A single model file in the folder becomes ``model``; files with the usual names become ``calibration``,
    ``inputs`` and ``labels``. Everything else stays a comment with an example.
    """
    found = _found_in(folder)
    lines = [
        "# Options of the `deploy` command for this project; the command line wins over this file.",
        "# Paths are relative to this folder. With model and calibration set, the everyday commands are:",
        "#     deploy compile --npu U55-128",
        "#     deploy run-fvp",
    ]
    for key, field in Settings.model_fields.items():
        mark = "" if key in found else "# "
        lines += ["", f"# {field.description}", f"{mark}{key} = {json.dumps(found.get(key, _EXAMPLES[key]))}"]
    return "\n".join(lines) + "\n"


def _found_in(folder: Path) -> dict[str, str]:
    usual = {"calibration": "calibration.npz", "inputs": "test.npz", "labels": "labels.json"}
    found = {key: name for key, name in usual.items() if (folder / name).is_file()}
    models = sorted(path.name for path in folder.iterdir() if path.suffix in (".keras", ".h5", ".tflite"))
    if len(models) == 1:
        found["model"] = models[0]
    return found


_EXAMPLES: dict[str, Any] = {
    "model": "model.keras",
    "set": ["size=96"],
    "calibration": "calibration.npz",
    "npu": "U55-128",
    "inputs": "test.npz",
    "samples": 200,
    "io": "uint8",
    "system_config": "Ethos_U55_High_End_Embedded",
    "memory_mode": "Shared_Sram",
    "optimise": "Performance",
    "sram_limit": "2M",
    "advice": "quick",
    "build": "build/model-u55-128",
    "firmware": "runner",
    "fvp": "open",
    "labels": "labels.json",
    "count": 16,
    "jobs": 2,
    "tolerance": 1,
    "timeout": 120,
    "timing": False,
}


def remember_build(path: Path) -> None:
    """Note which build folder was written last, for a ``run-fvp`` without BUILD in the same working folder."""
    write_text(_LAST_BUILD, json.dumps({"build": str(path.resolve())}) + "\n")


def last_build() -> Path:
    """The build folder that ``compile`` wrote last from this working folder.

    Raises:
        BadInputError: there is none.
    """
    try:
        return Path(json.loads(_LAST_BUILD.read_text(encoding="utf-8"))["build"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError(
            "no build folder was named and none was compiled from here",
            hints=["`deploy compile MODEL --npu U55-128` writes one", "or name it: `deploy run-fvp BUILD`"],
        ) from error
