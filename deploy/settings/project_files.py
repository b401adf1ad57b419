"""What lies in a folder that a project may be made of: models, and files with the usual names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_USUAL = {"calibration": "calibration.npz", "data": "test.npz", "labels": "labels.json"}
_SUFFIXES = (".keras", ".h5", ".tflite")
_COMPILED = "_vela.tflite"
_SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class ProjectFiles:
    """What was found.

    Attributes:
        models: names of model files and SavedModel folders, sorted; what Vela compiled is none.
        usual: key of ``deploy.toml`` -> name of the file that is usual for it, for those that are there.
    """

    models: tuple[str, ...]
    usual: Mapping[str, str]

    def kept(self, model: str | None = None) -> dict[str, str]:
        """Key -> value for ``deploy.toml``; the model is the one that was chosen, or the only one."""
        only = self.models[0] if len(self.models) == 1 else None
        chosen = model or only
        return {**({"model": chosen} if chosen else {}), **self.usual}

    @property
    def lacking(self) -> dict[str, str]:
        """Key -> usual name of what is not there."""
        return {key: name for key, name in _USUAL.items() if key not in self.usual}


def project_files(folder: Path) -> ProjectFiles:
    """Look into a folder."""
    models = sorted(path.name for path in folder.iterdir() if _is_model(path))
    return ProjectFiles(tuple(models), {key: name for key, name in _USUAL.items() if (folder / name).is_file()})


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return (path / _SAVED_MODEL).is_file()
    return path.suffix in _SUFFIXES and not path.name.endswith(_COMPILED)
