"""What newcomers do, one row each: the exit status, what is said, and never a traceback."""

import json
import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import interruptible
import numpy as np
import pytest

from deploy.cli.main import run

pytestmark = pytest.mark.early

WITHOUT_NETWORK = """
import socket
def refuse(*_): raise AssertionError("deploy went to the network")
socket.socket.connect = refuse
"""


@dataclass(frozen=True)
class Mistake:
    """One row.

    Attributes:
        words: after ``deploy``.
        status: of the command.
        says: regular expressions, each found in what is printed.
        never: none of these is.
        arrange: makes what is wrong, in the working folder.
        environment: name -> value; None takes a variable away.
        before: words before the program.
        after: of the shell, behind the command.
    """

    what: str
    words: str
    status: int
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    arrange: Callable[[Path], object] = lambda folder: None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    before: str = ""
    after: str = ""


def arrays(name: str, array: object, **more: object) -> Callable[[Path], object]:
    return lambda folder: np.savez(folder / name, image=array, **more)  # type: ignore[arg-type]


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(content)


def read_only(folder: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0o555)


def closed_build(folder: Path) -> None:
    """A build folder that nothing can take the place of."""
    shutil.copytree(folder / "b", folder / "closed" / "b")
    (folder / "closed").chmod(0o555)


def archive(path: Path) -> None:
    """A zip archive with nothing of Keras' in it."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("nothing", "")


IMAGES = np.random.default_rng(1).random((4, 16, 16, 1), dtype=np.float32)
# Root may write everywhere; without its capabilities it is a user as others are.
AS_A_USER = "setpriv --bounding-set=-all " if os.geteuid() == 0 else ""

MISTAKES = [
    Mistake("a path that is wrong", "compile gone.tflite --npu U55-128", 2, ("gone.tflite: no such model",)),
    Mistake(
        "a link that leads nowhere",
        "compile link.tflite --npu U55-128",
        2,
        ("link.tflite: no such model", "link.tflite is a link to gone.tflite, which is not there"),
        never=("did you mean",),
        arrange=lambda folder: (folder / "link.tflite").symlink_to("gone.tflite"),
    ),
    Mistake(
        "a variable of the shell that is empty", "compile '' --npu U55-128", 2, ("no model: its name is empty",)
    ),
    Mistake("the same for data", "verify b --data ''", 2, ("no data: its name is empty",)),
    Mistake(
        "a Keras file that is cut off",
        "compile cut.keras --npu U55-128",
        2,
        ("cut.keras: Keras cannot load it: it is no zip archive", "may be truncated"),
        arrange=text("cut.keras", "PK\3\4"),
    ),
    Mistake(
        "sweep's data where calibration data is meant",
        "sweep model.keras --npu U55-128 --data test.npz",
        2,
        ("needs real data", "try: --calibration DATA"),
        never=("try: --data",),
        arrange=lambda folder: archive(folder / "model.keras"),
    ),
    Mistake(
        "a Keras file that may not be read",
        "quantize model.keras --data test.npz -o q.tflite",
        2,
        ("model.keras: cannot be read: Permission denied",),
        never=("zip",),
        arrange=lambda folder: (archive(folder / "model.keras"), (folder / "model.keras").chmod(0)),
        before=AS_A_USER,
    ),
    Mistake(
        "calibration data that is not there, beside a model that takes long to load",
        "quantize model.keras --data gone.npz -o q.tflite",
        2,
        ("gone.npz: no such file or folder",),
        never=("Keras",),
        arrange=lambda folder: archive(folder / "model.keras"),
    ),
    Mistake(
        "a file that is no model",
        "compile notes.txt --npu U55-128",
        2,
        ("notes.txt: not a model",),
        arrange=text("notes.txt", "x"),
    ),
    Mistake("no model", "compile --npu U55-128", 2, ("no MODEL given", "deploy init")),
    Mistake("no NPU", "compile tiny.tflite", 2, ("no NPU given", "deploy compile tiny.tflite --npu U55-128")),
    Mistake(
        "Vela's spelling of an NPU", "compile tiny.tflite --npu ethos_u55_128 -q --advice none --verify none", 0
    ),
    Mistake(
        "an NPU that there is not",
        "compile tiny.tflite --npu U55-512",
        2,
        ("Ethos-U55 comes as U55-32, U55-64, U55-128, U55-256;",),
    ),
    Mistake(
        "several NPUs", "compile tiny.tflite --npu U55-64,U55-128", 2, ("deploy sweep MODEL --npu U55-64,U55-128",)
    ),
    Mistake(
        "a memory mode that there is not",
        "compile tiny.tflite --npu U55-128 --memory-mode Shared",
        2,
        ("Shared_Sram",),
    ),
    Mistake(
        "another NPU's system",
        "compile tiny.tflite --npu U55-128 --system-config Ethos_U65_High_End",
        2,
        ("for U55-128: Ethos_U55",),
    ),
    Mistake("an option that there is not", "compile tiny.tflite --npuu U55-128", 2, ("Did you mean '--npu'",)),
    Mistake("a verb that there is not", "comple tiny.tflite", 2, ("Did you mean 'compile'",)),
    Mistake("a folder that is no build", "verify .", 2, (r"not a build folder \(no compile.json in it\)",)),
    Mistake(
        "a folder that is not there", "report nowhere", 2, (r"nowhere: not a build folder \(no such folder\)",)
    ),
    Mistake("nothing was compiled", "run-fvp", 2, ("no build folder was named", "deploy compile MODEL")),
    Mistake(
        "a model in place of its build",
        "verify tiny.tflite",
        2,
        ("wanted is a build folder, or a .tflite that Vela compiled", "deploy compile tiny.tflite --npu U55-128"),
    ),
    Mistake(
        "data of another shape",
        "verify b --data d.npz",
        2,
        (r"\[4, 8, 8, 1\]", r"\[samples, 16, 16, 1\]"),
        arrange=arrays("d.npz", IMAGES[:, :8, :8]),
    ),
    Mistake(
        "data of another type",
        "verify b --data d.npz",
        2,
        ("image", "complex64"),
        arrange=arrays("d.npz", IMAGES.astype(np.complex64)),
    ),
    Mistake(
        "data in another range",
        "verify b --data d.npz",
        2,
        ("100% would be cut off", "scale it as in training"),
        arrange=arrays("d.npz", IMAGES * 255),
    ),
    Mistake(
        "data of another name",
        "verify b --data d.npz",
        0,
        arrange=lambda folder: np.savez(folder / "d.npz", x=IMAGES),
    ),
    Mistake(
        "more inputs than there are",
        "verify b --data d.npz --count 9",
        2,
        ("holds 4 samples", "--count 4"),
        arrange=arrays("d.npz", IMAGES),
    ),
    Mistake(
        "labels of an output that there is not",
        "verify b --data d.npz --labels l.json",
        2,
        ("l.json", "garment"),
        arrange=lambda folder: (
            arrays("d.npz", IMAGES)(folder),
            text("l.json", '{"colour": {"classes": ["a"]}}')(folder),
        ),
    ),
    Mistake(
        "labels beyond the classes",
        "evaluate b --data d.npz --head kind",
        2,
        ("9",),
        arrange=arrays("d.npz", IMAGES, labels=np.array([0, 1, 2, 9])),
    ),
    Mistake(
        "a pointer of Git LFS",
        "compile p.tflite --npu U55-128",
        2,
        ("a Git LFS pointer", "git lfs pull"),
        arrange=text("p.tflite", "version https://git-lfs.github.com/spec/v1\n"),
    ),
    Mistake(
        "a web page",
        "verify b --data p.npz",
        2,
        ("p.npz: a web page",),
        arrange=text("p.npz", "<!doctype html><title>404"),
    ),
    Mistake(
        "a simulator that is not there",
        "run-fvp b --fvp /opt/gone/FVP",
        3,
        ("--fvp /opt/gone/FVP: no such simulator", "`--fvp open`"),
    ),
    Mistake("the host as a machine", "run-fvp b --target host", 2, ("deploy verify",)),
    Mistake(
        "a key that there is not",
        "compile",
        2,
        ("deploy.toml: unknown key `modle`", "did you mean `model`"),
        arrange=text("deploy.toml", 'modle = "x"\n'),
    ),
    Mistake(
        "init a second time", "init", 2, ("exists already", "deploy init --force"), arrange=text("deploy.toml", "")
    ),
    Mistake("TFLM without its tree", "firmware b --runtime tflm --build", 2, ("needs --tflm DIR", "expected")),
    Mistake(
        "a folder that may not be written",
        "compile tiny.tflite --npu U55-128 -o closed/b",
        2,
        ("closed/b: cannot be written: closed is not a folder that can be written",),
        arrange=read_only,
        before=AS_A_USER,
    ),
    Mistake(
        "the same, beside a model that takes long to quantize",
        "compile model.keras --data test.npz --npu U55-128 -o closed/b",
        2,
        ("closed/b: cannot be written",),
        never=("Keras",),
        arrange=lambda folder: (read_only(folder), archive(folder / "model.keras")),
        before=AS_A_USER,
    ),
    Mistake(
        "a build folder that cannot be replaced",
        "compile model.keras --data test.npz --npu U55-128 -o closed/b",
        2,
        ("closed/b: cannot be written: closed is not a folder that can be written",),
        never=("Keras",),
        arrange=lambda folder: (closed_build(folder), archive(folder / "model.keras")),
        before=AS_A_USER,
    ),
    Mistake("no room", "verify b -q --json /dev/full", 2, ("No space left",)),
    Mistake("any user", "verify b -q", 0, ("verdict: PASS",), before=AS_A_USER),
    Mistake("no HOME", "verify b -q", 0, ("verdict: PASS",), environment={"HOME": None, "XDG_CACHE_HOME": None}),
    Mistake(
        "a HOME that is not there",
        "sweep tiny.tflite --npu U55-128",
        0,
        ("U55-128",),
        environment={"HOME": "/nowhere", "XDG_CACHE_HOME": None},
    ),
    Mistake(
        "no network",
        "compile tiny.tflite --npu U55-128 -q",
        0,
        arrange=text("sitecustomize.py", WITHOUT_NETWORK),
        environment={"PYTHONPATH": "."},
    ),
    Mistake(
        "60 columns",
        "report b",
        0,
        (r"0\.0\d{5,}", "estimate"),
        never=("…\\d", r"\d…"),
        environment={"COLUMNS": "60"},
    ),
    Mistake(
        "no colours wanted",
        "report b",
        0,
        ("estimate",),
        never=(r"\x1b\[[0-9;]*3[0-9]",),
        environment={"NO_COLOR": "1", "FORCE_COLOR": None},
    ),
    Mistake(
        "into a pipe",
        "report b",
        0,
        ("estimate",),
        never=(r"\x1b", r"(?m)[ \t]$"),
        after=" | cat; exit ${PIPESTATUS[0]}",
    ),
    Mistake("a reader that has enough", "report b", 141, after=" | head -1; exit ${PIPESTATUS[0]}"),
    Mistake(
        "a path with blanks and accents",
        "verify 'gr\u00f6\u00dfe \u2713/b' -q",
        0,
        ("verdict: PASS",),
        arrange=lambda folder: shutil.copytree(folder / "b", folder / "gr\u00f6\u00dfe \u2713/b"),
    ),
]


@pytest.fixture
def folder(built: Path, tiny_tflite: Path, in_folder: Path) -> Path:
    """A folder with a model, and its build."""
    shutil.copy(tiny_tflite, in_folder / "tiny.tflite")
    shutil.copytree(built, in_folder / "b")
    return in_folder


def test_there_are_more_than_thirty() -> None:
    assert len({mistake.what for mistake in MISTAKES}) == len(MISTAKES) > 30


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_has_its_status_and_its_message(
    mistake: Mistake, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mistake.arrange(folder)
    if mistake.environment or mistake.before or mistake.after:
        kept = {**os.environ, **mistake.environment}
        done = subprocess.run(
            [
                "bash",
                "-c",
                f"{mistake.before}{shlex.quote(sys.executable)} -m deploy {mistake.words}{mistake.after}",
            ],
            env={name: value for name, value in kept.items() if value is not None},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        status, said = done.returncode, done.stdout + done.stderr
    else:
        status = run(shlex.split(mistake.words))
        captured = capfd.readouterr()
        said = captured.out + captured.err
    assert status == mistake.status, said
    for expression in mistake.says:
        assert re.search(expression, said), f"{expression} in {said}"
    for expression in (*mistake.never, "Traceback", "defect of deploy", "/tmp/deploy-"):  # noqa: S108
        assert not re.search(expression, said), f"{expression} in {said}"
    assert len(re.findall("did you mean", said, re.IGNORECASE)) <= 1


def test_two_commands_at_once_leave_a_build_that_is_whole(folder: Path) -> None:
    command = [sys.executable, "-m", "deploy", "compile", "tiny.tflite", "--npu", "U55-128", "-q", "-o", "same"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert run(["verify", "same", "-q"]) == 0
    assert json.loads((folder / "build/.last-build.json").read_text()) == {"build": "same"}
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_ctrl_c_is_one_word_and_status_130(folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW)
    command = [sys.executable, "-m", "deploy", "verify", "b", "--data", "slow.py:data"]
    process = interruptible.started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = interruptible.said(process, 60)
    assert process.returncode == 130
    assert said == "deploy: interrupted\n"


SLOW = "import time\ndef data():\n    print('begun', flush=True)\n    time.sleep(60)\n"


def test_a_terminal_that_is_closed_ends_the_command_which_tidies_up(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "slow.py").write_text(SLOW)
    (folder / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(folder / "scratch"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "deploy", "verify", "b", "--data", "slow.py:data", "--json", "v.json"]
    process = interruptible.started(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while b"begun" not in said:
        said += os.read(ours, 4096)
    os.close(ours)  # whatever it prints now is an error
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)  # the shell and the kernel each send one
    assert process.wait(60) == 129
    error = json.loads((folder / "v.json").read_text())["error"]
    assert (error["kind"], error["message"]) == ("terminated", "ended by SIGHUP")
    assert list((folder / "scratch").iterdir()) == []


def test_a_command_that_shall_outlive_its_terminal_does(folder: Path) -> None:
    (folder / "slow.py").write_text(SLOW)
    command = ["nohup", sys.executable, "-m", "deploy", "verify", "b", "--data", "slow.py:data"]
    process = interruptible.started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    interruptible.said(process, 60)
    assert process.returncode == 143
