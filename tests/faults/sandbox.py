"""Where a fault is injected: a folder of its own with a build in it, and the check that nothing is left behind."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import resource
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.build_folder import Document
from deploy.cli.answers import JUDGING_VERBS
from deploy.cli.main import run as run_inside
from deploy.judging.junit import junit_xml
from deploy.judging.verdict import Verdict
from deploy.judging.verification_record import VerificationRecord
from deploy.reporting.data.build_documents import VERDICT_COMMANDS

MARK = "DEPLOY_FAULT_CASE"
"""Environment variable that every process of a case inherits: by it those left behind are found."""
OPEN_MACHINE = f"{sys.executable} -P -m deploy.corstone --npu-family U55"
FVP_NAME = "FVP_Corstone_SSE-300_Ethos-U55"
_REPORT = "report.html"
_VERDICTS = tuple(f"{command}.json" for command in VERDICT_COMMANDS)
_DOCUMENTS: dict[str, type[Document]] = {
    **dict.fromkeys(_VERDICTS, Verdict),
    "verification.json": VerificationRecord,
}
_KEPT = frozenset([_REPORT, *_DOCUMENTS])
"""What a run writes into the build folder: its verdict, and where that passes, a check that it made to its end."""
_HANG_S = 60
_YESTERDAY = "all of yesterday's outputs were equal"
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Parts:
    """What the cases start from; never changed by them.

    Attributes:
        keras: a small float model.
        samples: calibration data for it.
        tflite: the model quantized.
        build: its build folder for U55-128.
    """

    keras: Path
    samples: Path
    tflite: Path
    build: Path


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        status: exit status, negative for a signal; None if it hung.
        text: what it wrote on standard output and error.
        seconds: how long it took.
    """

    status: int | None
    text: str
    seconds: float


@dataclass
class Sandbox:
    """One case's folder.

    Attributes:
        parts: what to start from.
        folder: the working folder; holds copies of the model, the data and the build.
        name: value of the mark.
    """

    parts: Parts
    folder: Path
    name: str
    environment: dict[str, str] = field(default_factory=dict)
    _undo: list[Callable[[], None]] = field(default_factory=list)
    _before: dict[str, str] = field(default_factory=dict)
    _judged: bool = False

    def __post_init__(self) -> None:
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.build = self.folder / "build" / "tiny"
        shutil.copytree(self.parts.build, self.build)
        self.tflite = Path(shutil.copy(self.parts.tflite, self.folder / "tiny.tflite"))
        self.keras = Path(shutil.copy(self.parts.keras, self.folder / "tiny.keras"))
        self.samples = Path(shutil.copy(self.parts.samples, self.folder / "samples.npz"))
        self.environment = {"TMPDIR": str(self.temporary), MARK: self.name}

    # -- what cases are made of --

    def write(self, name: str, content: str | bytes) -> Path:
        """A file in the working folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def program(self, name: str, body: str, *, on_path: bool = True) -> Path:
        """A shell script, first on PATH."""
        path = self.bin / name if on_path else self.folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        if on_path:
            self.environment["PATH"] = f"{self.bin}:{os.environ['PATH']}"
        return path

    def fvp(self, body: str) -> Path:
        """A simulator that answers --version as the open one and otherwise does ``body``.

        In it, ``open "$@"`` is the real machine, ``$uart`` and ``$dump`` are the files that it writes, and
        ``$preload`` the one that the memory of the outputs starts with.
        """
        names = (
            "for w; do case $w in *outputs.bin*) dump=${w#cpu0=}; dump=${dump%@*};; "
            "*uart0.out_file=*) uart=${w#*=};; *preload.bin*) preload=${w%@*};; esac; done"
        )
        version = f'[ "$1" = --version ] && echo {shlex.quote(open_version())} && exit'
        return self.program(
            FVP_NAME,
            f'machine=({OPEN_MACHINE})\nopen() {{ "${{machine[@]}}" "$@"; }}\n{version}\n{names}\n{body}',
            on_path=False,
        )

    def patch(self, target: Any, name: str, value: Any) -> None:
        """Change a constant of ours (a time limit) for this case, inside this process only."""
        old = getattr(target, name)
        setattr(target, name, value)
        self._undo.append(lambda: setattr(target, name, old))

    # -- the documents of an earlier verdict --

    def leave_old_verdict(self, words: list[str]) -> list[str]:
        """The words of a judging verb, with documents named that say PASS from an earlier run."""
        self._judged = words[:1] != [] and words[0] in JUDGING_VERBS and not {"--json", "--junit"} & {*words}
        if not self._judged:
            return words
        old = Verdict(
            verdict="pass",
            exit_status=0,
            reason=_YESTERDAY,
            inputs=1,
            reference="",
            tolerance=1.0,
            build="",
            platform=None,
            firmware=None,
        )
        self.write("old.json", old.model_dump_json())
        self.write("old.xml", junit_xml(old, words[0]))
        return [*words, "--json", "old.json", "--junit", "old.xml"]

    def stale(self, outcome: Outcome) -> str:
        """What is wrong with the documents of :meth:`leave_old_verdict` after the command; empty for nothing."""
        if not self._judged:
            return ""
        if _YESTERDAY in (self.folder / "old.xml").read_text():
            return "the JUnit document is that of an earlier run"
        try:
            verdict = Verdict.model_validate_json((self.folder / "old.json").read_bytes())
        except ValueError:
            return "the verdict document is not whole"
        if verdict.reason == _YESTERDAY:
            return "the verdict document is that of an earlier run"
        if outcome.status in (1, 3, 4, 129, 130, 143) and verdict.exit_status != outcome.status:
            return f"the verdict document says exit status {verdict.exit_status}, it was {outcome.status}"
        return ""

    # -- running --

    def run_inside(self, words: list[str], capture: Callable[[], str]) -> Outcome:
        """Run the command line in this process: fast. An alarm ends a hang."""
        self._before = self._protected()
        saved = dict(os.environ), Path.cwd(), tempfile.tempdir

        def hang(*_: object) -> None:
            raise TimeoutError("the command hung")

        previous = signal.signal(signal.SIGALRM, hang)
        started = time.monotonic()
        try:
            os.environ.update(self.environment)
            os.chdir(self.folder)
            tempfile.tempdir = None
            signal.setitimer(signal.ITIMER_REAL, _HANG_S)
            status = int(run_inside(words))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, previous)
            seconds = time.monotonic() - started
            os.environ.clear()
            os.environ.update(saved[0])
            os.chdir(saved[1])
            tempfile.tempdir = saved[2]
            for undo in reversed(self._undo):
                undo()
        return Outcome(None if "the command hung" in (text := capture()) else status, text, seconds)

    def run_process(
        self,
        words: list[str],
        *,
        send: int | None = None,
        when: Callable[[Sandbox], bool] = lambda _sandbox: True,
        file_limit: int | None = None,
        disk_bytes: int | None = None,
        stdout: str | None = None,
        closed: Sequence[int] = (),
    ) -> Outcome:
        """Run the command line in a process of its own, without root's power over permissions.

        Args:
            words: after ``deploy``.
            send: signal to send it, once ``when`` says so.
            when: asked every 20 ms.
            file_limit: largest file it can write.
            disk_bytes: size of the disk that its temporary files are on.
            stdout: file that its output goes to.
            closed: its standard streams that are closed, by number.
        """
        self._before = self._protected()
        command = [sys.executable, "-P", "-m", "deploy", *words]
        if closed:
            gone = " ".join(f"{number}>&-" for number in closed)
            command = ["sh", "-c", f'exec "$@" {gone}', "sh", *command]
        if disk_bytes is not None:
            mount = f'mount -t tmpfs -o size={disk_bytes} none "$TMPDIR" && exec "$@"'
            command = ["unshare", "-m", "sh", "-c", mount, "sh", *command]
        started = time.monotonic()
        with (
            (self.folder / "output.txt").open("w+b") as log,
            Path(stdout).open("wb") if stdout else log as out,
            subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                preexec_fn=lambda: _restrict(file_limit, keep_power=disk_bytes is not None),  # noqa: PLW1509
            ) as process,
        ):
            if send is not None:
                deadline = started + _HANG_S
                while not when(self) and process.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.02)
                process.send_signal(send)
            try:
                status: int | None = process.wait(timeout=_HANG_S)
            except subprocess.TimeoutExpired:
                process.kill()
                status = None
            log.seek(0)
            text = log.read().decode(errors="replace")
        return Outcome(status, text, time.monotonic() - started)

    # -- afterwards --

    def leftovers(self, *, killed: bool = False) -> list[str]:
        """Everything that should not be there any more: processes, sockets, temporary files, a changed build.

        Args:
            killed: whether the command was killed outright, which leaves nobody to remove its files.
        """
        problems = [f"process {line}" for line in self._processes()]
        hidden = [path for path in self.folder.rglob(".*") if path.name != ".last-build.json"]
        for path in [*self.temporary.rglob("*"), *hidden]:
            if not killed or stat.S_ISSOCK(path.lstat().st_mode):
                problems.append(f"file {path.relative_to(self.folder)}")
        if self._protected() != self._before:
            problems.append("the build folder was changed")
        problems += [f"{name} is half-written" for name in self._half_written()]
        return problems

    def processes_of_case(self) -> list[int]:
        """Processes of this case that run now."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    variables = (entry / "environ").read_bytes().split(b"\0")
                except OSError:
                    continue
                if f"{MARK}={self.name}".encode() in variables:
                    found.append(int(entry.name))
        return found

    def sees(self, *names: str) -> bool:
        """Whether a process of this case runs whose command line holds all ``names``."""
        return any(all(name in line for name in names) for line in map(command_line, self.processes_of_case()))

    def maps(self, part: str) -> bool:
        """Whether a process of this case has loaded a library whose path holds ``part``."""
        for pid in self.processes_of_case():
            try:
                if part in Path(f"/proc/{pid}/maps").read_text():
                    return True
            except OSError:
                continue
        return False

    def remove(self) -> None:
        """End what the case itself started, and take the folder away."""
        for pid in self.processes_of_case():
            os.kill(pid, signal.SIGKILL)
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o700)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _processes(self) -> list[str]:
        deadline = time.monotonic() + 3
        while (left := self.processes_of_case()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [f"{pid}: {command_line(pid)[:120]}" for pid in left]

    def _protected(self) -> dict[str, str]:
        return {str(path): _digest(path) for path in self.build.rglob("*") if path.name not in _KEPT}

    def _half_written(self) -> list[str]:
        """Verdicts and reports that a command keeps in the build folder, and that are not whole."""
        found = []
        if self.build.is_dir():
            self.build.chmod(0o700)  # a case may have taken its own right to read away
        for path in self.build.iterdir() if self.build.is_dir() else ():
            if path.name == _REPORT and not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
                found.append(path.name)
            elif path.name in _DOCUMENTS:
                try:
                    _DOCUMENTS[path.name].model_validate_json(path.read_bytes())
                except ValueError:
                    found.append(path.name)
        return found


@functools.cache
def open_version() -> str:
    """What the open machine says for ``--version``, asked once."""
    command = [*shlex.split(OPEN_MACHINE), "--version"]
    return subprocess.run(command, capture_output=True, text=True, timeout=_HANG_S, check=True).stdout.strip()


def _digest(path: Path) -> str:
    if path.is_fifo():
        return "a FIFO"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return str(error.strerror)


def command_line(pid: int) -> str:
    """The words of a process, with spaces; none of one that is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _restrict(file_limit: int | None, *, keep_power: bool) -> None:
    """In the child: root obeys permissions like anybody; files are limited in size; Ctrl-C and hang-ups count."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)  # A shell's background jobs inherit that it is ignored.
    if _libc is not None and os.geteuid() == 0 and not keep_power:
        for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
            _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))


def can_mount() -> bool:
    """Whether a small disk can be mounted for a case (root, or a container that allows it)."""
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o size=64k none /mnt"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
