"""The folder of a search: what was tried is on the disk before the next network is.

Layout::

    OUT/settings.json      Settings; a search continues only with the same ones
    OUT/candidates.jsonl   one Candidate a line, appended and synchronised
    OUT/networks/N.keras   the trained networks of the front
    OUT/result.json        SearchResult
    OUT/best.keras         the best network, and
    OUT/best.json          what it is
    OUT/pareto.html        the chart
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pydantic import ValidationError

from deploy.errors import BadInputError
from deploy.files import write_bytes, write_text
from deploy.interrupts import held
from deploy.searching.documents import Candidate, Settings

SETTINGS, CANDIDATES, NETWORKS = "settings.json", "candidates.jsonl", "networks"
_MAX_BYTES = 256 << 20
_MAX_SETTINGS_BYTES = 1 << 20


class SearchFolder:
    """An open folder, made if missing; no other process can open it at the same time.

    Raises:
        BadInputError: it cannot be written, another search runs in it, it holds a search with other settings, or a
            file in it is damaged.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self.path = path
        self._log = -1
        try:
            (path / NETWORKS).mkdir(parents=True, exist_ok=True)
            self._log = os.open(path / CANDIDATES, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
            fcntl.flock(self._log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._check_settings(settings)
            self.candidates = self._read()
        except BlockingIOError as error:
            self.close()
            raise BadInputError(
                f"{path}: another search is running in this folder", hints=["-o another folder"]
            ) from error
        except OSError as error:
            self.close()
            raise BadInputError(f"{path}: cannot be written: {error.strerror}") from error
        except BadInputError:
            self.close()
            raise

    def __enter__(self) -> SearchFolder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others open it."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def append(self, candidate: Candidate) -> None:
        """Keep a candidate for good; a signal waits until it is kept in the file and here.

        Raises:
            BadInputError: the disk is full.
        """
        line = candidate.model_dump_json().encode() + b"\n"
        with held():
            try:
                while line:  # what a kill leaves of it is cut off when the folder is opened next
                    line = line[os.write(self._log, line) :]
                os.fsync(self._log)
            except OSError as error:
                raise BadInputError(f"{self.path / CANDIDATES}: cannot be written: {error.strerror}") from error
            self.candidates.append(candidate)

    def network_file(self, number: int) -> Path:
        """Where the trained network of a candidate is kept."""
        return self.path / NETWORKS / f"{number}.keras"

    def keep_network(self, number: int, content: bytes) -> None:
        """Keep a trained network."""
        write_bytes(self.network_file(number), content)

    def prune_networks(self, numbers: set[int]) -> None:
        """Remove all trained networks but these, and what a kill has left of others."""
        for file in (self.path / NETWORKS).iterdir():
            mine = file.stem.isdigit() and file.suffix == ".keras"
            if (mine and int(file.stem) not in numbers) or (file.name.startswith(".") and ".keras" in file.name):
                file.unlink(missing_ok=True)

    def _check_settings(self, settings: Settings) -> None:
        file = self.path / SETTINGS
        if not file.exists() or os.fstat(self._log).st_size == 0:
            write_text(file, settings.model_dump_json(indent=2) + "\n")
            return
        try:
            with file.open("rb") as stream:
                kept = Settings.model_validate_json(stream.read(_MAX_SETTINGS_BYTES))
        except ValidationError as error:
            raise BadInputError(f"{file}: damaged, or of another version", hints=["-o another folder"]) from error
        if kept != settings:
            ours, theirs = settings.model_dump(), kept.model_dump()
            different = [f"{name} {theirs[name]}, now {ours[name]}" for name in ours if ours[name] != theirs[name]]
            raise BadInputError(
                f"{self.path}: holds a search with other settings: {'; '.join(different)}",
                hints=["-o another folder", "--trials and --minutes may differ, all else decides the figures"],
            )

    def _read(self) -> list[Candidate]:
        """The candidates; a last line that was not written whole is cut off."""
        size = os.fstat(self._log).st_size
        if size > _MAX_BYTES:
            raise BadInputError(f"{self.path / CANDIDATES}: {size:,} bytes are too many to be a search")
        content = os.pread(self._log, size, 0)
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(self._log, len(whole))
        found: list[Candidate] = []
        for number, line in enumerate(whole.splitlines()):
            try:
                candidate = Candidate.model_validate_json(line)
            except ValidationError as error:
                raise self._damaged(number + 1) from error
            if candidate.number != number:
                raise self._damaged(number + 1)
            found.append(candidate)
        return found

    def _damaged(self, line: int) -> BadInputError:
        return BadInputError(
            f"{self.path / CANDIDATES}: line {line} is damaged",
            hints=["delete it and all lines below: the search repeats those", "-o another folder"],
        )
