"""What of a firmware project was rendered, and what its user has edited since: a list of hashes beside the files.

The list is in ``sha256sum``'s format, so that ``sha256sum -c rendered.sha256`` says the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.build_folder import FIRMWARE_LIST, sha256_of_bytes
from deploy.errors import BadInputError
from deploy.files import read_bytes, write_bytes, write_text

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_SHOWN = 8


def write_rendered(folder: Path, files: Mapping[str, bytes], *, force: bool = False) -> None:
    """Write rendered files into a project, and nothing over what is not deploy's; unchanged ones are left alone.

    Args:
        folder: of the project.
        files: path in it -> content.
        force: overwrite files that were edited, or are not deploy's.

    Raises:
        BadInputError: a file was edited since it was rendered, or never was; or one cannot be written. Before that
            nothing is written.
    """
    known = _listed(folder)
    changed, in_the_way = {}, []
    for name, content in files.items():
        found = _content(folder / name)
        if found == content:
            continue
        changed[name] = content
        if found is not None and sha256_of_bytes(found) not in known[name]:
            in_the_way.append(f"{name} ({'edited since' if known[name] else 'not from deploy'})")
    if in_the_way and not force:
        raise _refusal(folder, in_the_way)
    fresh = {name: {sha256_of_bytes(content)} for name, content in files.items()}
    # Should this end in the middle, each file is one of the two.
    _list(folder, {name: known[name] | fresh.get(name, set()) for name in {**known, **fresh}})
    for name, content in changed.items():
        write_bytes(folder / name, content)
    _list(folder, {**known, **fresh})


def _refusal(folder: Path, names: Sequence[str]) -> BadInputError:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return BadInputError(
        f"{folder}: nothing written, these files differ from what was rendered there: "
        f"{', '.join(names[:_SHOWN])}{more}",
        hints=[
            "`--force` overwrites them",
            "`--only model` writes the network alone; `-o FOLDER` writes elsewhere, to compare",
        ],
    )


def _content(path: Path) -> bytes | None:
    try:
        return read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error


def _listed(folder: Path) -> dict[str, set[str]]:
    """Path -> the hashes that it may have as deploy left it; empty for any other."""
    found: dict[str, set[str]] = defaultdict(set)
    text = (_content(folder / FIRMWARE_LIST) or b"").decode("utf-8", "replace")
    for line in text.splitlines():
        if (match := _LINE.fullmatch(line)) is not None:
            found[match[2]].add(match[1])
    return found


def _list(folder: Path, hashes: Mapping[str, set[str]]) -> None:
    lines = [f"{each}  {name}\n" for name, own in sorted(hashes.items()) for each in sorted(own)]
    text = "".join(lines)
    if _content(folder / FIRMWARE_LIST) != text.encode():
        write_text(folder / FIRMWARE_LIST, text)
