"""Command lines that public projects use: those of Corstone-300, -310 and -320 boot, the others say why not."""

import subprocess
import sys
from pathlib import Path

import pytest
from guest import COMPILER
from public_forms import FORMS, Form

from deploy.corstone.cli import run
from deploy.corstone.command_line import parse_options
from deploy.corstone.stand_in import named

OURS = [form for form in FORMS if not form.other]
OTHERS = [form for form in FORMS if form.other]
# What a program needs of the board, as data words: those an image that is moved can change.
PROGRAM = r"""
typedef volatile unsigned *volatile Registers;
static const Registers uart = (Registers)UART;
static const char text[] = "hello\nEXITTHESIM\n\4";
void reset(void) {
  uart[4] = 16; uart[2] = 1;
  for (const char *at = text; *at; at++) { while (uart[1] & 1) { } uart[0] = *at; }
  for (;;) { }
}
__attribute__((section(".vectors"), used)) void *const vectors[16] = { (void *)0x30004000, (void *)reset };
"""
SCRIPT = """
ENTRY(reset)
SECTIONS { .all BEGIN : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } /DISCARD/ : { *(.ARM.exidx*) } }
"""
UARTS = {"corstone-300": 0x59303000, "corstone-310": 0x59303000, "corstone-320": 0x58203000}


def test_there_are_47_of_which_five_belong_to_other_fvps() -> None:
    assert (len(OURS), len(OTHERS)) == (42, 5)
    assert len({form.line for form in FORMS}) == 47


def built(folder: Path, form: Form, name: str, begin: int) -> Path:
    source, script, elf = folder / f"{name}.c", folder / f"{name}.ld", folder / f"{name}.axf"
    source.write_text(PROGRAM)
    script.write_text(SCRIPT.replace("BEGIN", hex(begin)))
    flags = ["-mcpu=cortex-m55", "-mthumb", "-mfloat-abi=hard", "-O1", "-ffreestanding", "-nostdlib"]
    command = [
        COMPILER,
        *flags,
        f"-DUART={UARTS[form.board]:#x}",
        "-Wl,--build-id=none",
        "-T",
        script,
        "-o",
        elf,
        source,
    ]
    subprocess.run(command, check=True, capture_output=True)
    return elf


@pytest.fixture
def files(tmp_path: Path):
    def made(form: Form) -> dict[str, object]:
        names = {name: tmp_path / name for name in ("app", "hex", "second", "data", "out", "config")}
        for name in ("app", "hex", "second", "data"):
            names[name].write_bytes(b"x" * 64)
        names["config"].write_text(form.config)
        return {**names, "dir": tmp_path}

    return made


@pytest.mark.parametrize("form", OURS, ids=lambda form: f"{form.project}-{FORMS.index(form)}")
def test_a_command_line_for_these_boards_is_understood(form: Form, files) -> None:
    board, family = named(form.program)
    options = parse_options(form.words(files(form)), board=board, family=family)
    assert options.model.board == form.board
    assert options.begin in (form.begin, form.begin | 0x10000000)
    assert options.applications
    assert isinstance(options.warnings, list)


@pytest.mark.parametrize("form", OTHERS, ids=lambda form: form.program)
def test_a_command_line_for_another_fvp_is_refused_with_that_reason(form: Form, files, capsys) -> None:
    words = form.words(files(form))
    assert run(words, program=form.program) == 2
    assert f"{form.program} is the name of another FVP" in capsys.readouterr().err
    if any(word.startswith(("fvp_mps2.", "armcortexm7ct.", "se.")) for word in words):
        # Under a name of one's own its parameters tell.
        assert run(words, program="simulator") == 2
        assert "belongs to another FVP" in capsys.readouterr().err


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.parametrize("form", OURS, ids=lambda form: f"{form.project}-{FORMS.index(form)}")
def test_a_command_line_for_these_boards_boots(form: Form, files, tmp_path: Path) -> None:
    given = files(form)
    given["app"] = built(tmp_path, form, "app", form.begin)
    given["second"] = built(tmp_path, form, "second", 0x21000000)
    subprocess.run(["arm-none-eabi-objcopy", "-O", "ihex", given["app"], given["hex"]], check=True)
    program = tmp_path / form.program
    program.symlink_to(Path(sys.executable).parent / "open-corstone-300")
    board = "mps4_board" if form.board == "corstone-320" else "mps3_board"
    ending = ["-C", f"{board}.uart0.shutdown_on_eot=1", "--timelimit", "60"]
    done = subprocess.run(
        [program, *form.words(given), *ending],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "Reason" not in done.stdout
    if "out_file=" in form.line + form.config and "uart0.out_file={out}" not in form.line:
        assert "hello\nEXITTHESIM" in done.stdout
    if " -q" in form.line:
        assert "Warning" not in done.stdout
