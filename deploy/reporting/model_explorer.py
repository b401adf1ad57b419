"""Writes what Google's Model Explorer lays over the graph of a build's source model."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from deploy.build_folder import BuildFolder
from deploy.files import write_text
from deploy.printable import printable_json
from deploy.reporting.data.build_documents import known_of_operators
from deploy.reporting.data.node_data import node_data

FOLDER = "model-explorer"
"""Where it is written in a build folder."""


def write_node_data(build: BuildFolder, folder: Path | None = None) -> tuple[Path, ...]:
    """Write one JSON file a quantity into a folder, by default into the build's, and return where they are.

    Raises:
        BadInputError: a document of the build folder is damaged, or the files cannot be written.
        NotInstalledError: LiteRT, which brings TFLite's schema, is missing.
    """
    folder = folder or build.path / FOLDER
    found = node_data(build.document, build.source_model, known_of_operators(build))
    paths = tuple(folder / f"{one.name}.json" for one in found)
    for path, one in zip(paths, found, strict=True):
        write_text(path, printable_json(json.dumps(one.document, indent=1)) + "\n")
    return paths


def opening_command(build: BuildFolder, paths: Sequence[Path]) -> str:
    """The command that shows the files in Model Explorer, for a shell."""
    data = ",".join(map(str, paths))
    return shlex.join(["model-explorer", str(build.source), f"--node_data_paths={data}"])
