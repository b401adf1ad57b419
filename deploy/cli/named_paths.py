"""The files and folders that a verb's options name, looked at before the verb runs.

What is read must be something that ends, what is written must be nothing that is read, ``-`` is standard output,
and what a verb will write anew is not left lying from an earlier call.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from deploy.cli.call_documents import CallDocuments, keep, remove_old
from deploy.errors import BadInputError
from deploy.settings.declared import Declared
from deploy.streams import DASH, STANDARD_OUTPUT, check_readable_file, is_stream
from deploy.user_function import is_reference, split

_DEVICES = frozenset({"port"})
"""Options that name a device."""

_OWN_FILES = frozenset(
    {
        "compile.json",
        "float.tflite",
        "model_vela.tflite",
        "quantize.json",
        "samples.npz",
        "source.tflite",
        "verification.json",
    }
)
"""What a build folder is made of: the verbs that compile write it, nothing else."""


@contextlib.contextmanager
def looked_after(
    options: Mapping[str, Declared], values: dict[str, Any], documents: CallDocuments
) -> Iterator[None]:
    """Check what a verb's options name, and prepare what it writes.

    Args:
        options: parameter -> what is known of it.
        values: parameter -> what it was given; ``-`` is replaced by the path of standard output, and what is
            printed goes to standard error meanwhile.
        documents: of the call.

    Raises:
        BadInputError: a file cannot be read to an end, would be overwritten although it is read, or a number is
            none.
    """
    from deploy.downloads import check_downloaded

    keep(documents)
    for parameter, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInputError(f"{_shown(parameter)} {value}: must be a finite number")
        if isinstance(value, str | Path) and "\0" in str(value):
            raise BadInputError(f"{_shown(parameter)}: no text with a NUL character can be used")
    with contextlib.ExitStack() as stack:
        for parameter, value in values.items():
            if value == DASH and _writes(options, parameter) in ("document", "answer"):
                values[parameter] = str(STANDARD_OUTPUT)
                stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        read = [(p, path) for p, value in values.items() for path in _read(options, p, value)]
        for _, path in read:
            check_readable_file(path)
            check_downloaded(path)
        written = {p: Path(str(v)) for p, v in values.items() if v is not None and _writes(options, p)}
        for parameter, path in written.items():
            _check_apart(_shown(parameter), options[parameter].writes, path, read)
        _check_different(written)
        for parameter, path in written.items():
            if options[parameter].writes == "document" and not is_stream(path):
                remove_old(path)
        documents.begin(
            {_shown(p): path for p, path in written.items() if options[p].writes == "answer"},
            [path for p, path in written.items() if options[p].writes in ("folder", "replaced folder")],
        )
        yield


def _writes(options: Mapping[str, Declared], parameter: str) -> str | None:
    return options[parameter].writes if parameter in options else None


def _shown(parameter: str) -> str:
    """How a user writes an option: ``--data``, or ``MODEL``."""
    for each in click.get_current_context().command.params:
        if each.name == parameter:
            named = [name for name in each.opts if name.startswith("--")] or each.opts
            return named[0] if isinstance(each, click.Option) else parameter.upper()
    return parameter


def _read(options: Mapping[str, Declared], parameter: str, value: Any) -> list[Path]:
    """The paths of an option that names what is read."""
    declared = options.get(parameter)
    if declared is None or declared.writes or declared.key in _DEVICES:
        return []
    texts = [str(each) for each in (value if isinstance(value, list | tuple) else [value]) if each is not None]
    if declared.kind not in ("path", "text"):
        return []
    return [split(text)[0] if is_reference(text) else Path(text) for text in texts]


def _check_apart(option: str, kind: str | None, path: Path, read: Sequence[tuple[str, Path]]) -> None:
    """Check that writing a file or folder destroys nothing that is read.

    Raises:
        BadInputError: it would.
    """
    if is_stream(path) or not os.path.lexists(path):
        return
    for parameter, source in read:
        if _same(path, source):
            if kind == "folder" or source.is_dir():
                continue
            raise BadInputError(
                f"{option} {path}: is the file that {_shown(parameter)} reads, and would be overwritten",
                hints=["name another file"],
            )
        inside = (
            kind == "replaced folder"
            and _is_file(source)
            and _behind_links(source).is_relative_to(_behind_links(path))
        )
        if inside and source.name not in _OWN_FILES:
            raise BadInputError(
                f"{option} {path}: is replaced as a whole, with {source} in it, which is read",
                hints=[f"name another folder, or move {source}"],
            )
    whole = _behind_links(path)
    if _is_file(path) and whole.name in _OWN_FILES and (whole.parent / "compile.json").is_file():
        raise BadInputError(
            f"{option} {path}: is a file of a build folder, and would be overwritten", hints=["name another file"]
        )


def _check_different(written: Mapping[str, Path]) -> None:
    """Check that no two options write the same file.

    Raises:
        BadInputError: two do.
    """
    seen: dict[Path, str] = {}
    for parameter, path in written.items():
        place = STANDARD_OUTPUT if path == STANDARD_OUTPUT else _behind_links(path)
        if place in seen and (place == STANDARD_OUTPUT or not is_stream(path)):
            shown = DASH if place == STANDARD_OUTPUT else path
            raise BadInputError(f"{_shown(parameter)} {shown}: {_shown(seen[place])} is written there, too")
        seen[place] = parameter


def _is_file(path: Path) -> bool:
    """Also for a path that is no path at all: whoever reads or writes it says so."""
    try:
        return path.is_file()
    except OSError:
        return False


def _behind_links(path: Path) -> Path:
    """The path without links and dots; links may go in a circle, which is told when it is written to."""
    return Path(os.path.realpath(path))


def _same(one: Path, other: Path) -> bool:
    """Whether two paths are one file, by links of any kind or another spelling."""
    try:
        return one.samefile(other)
    except OSError:
        return False
