"""Assembles the verbs and turns every error into one clear message and the exit status of the contract."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import click
import typer

from deploy import __version__
from deploy.cli.answers import with_place
from deploy.cli.call_documents import CallDocuments
from deploy.cli.console import report_error
from deploy.cli.help_printer import load_help_printer
from deploy.cli.named_paths import looked_after
from deploy.errors import BadInputError, DeployError, ExitStatus, TargetError
from deploy.interrupts import (
    comes_of_interrupt,
    interrupt_answered,
    interrupt_came,
    signals_end_waits,
    signals_terminate,
    termination,
)
from deploy.processes.leave import leave
from deploy.processes.standard_streams import reader_gone
from deploy.settings.merging import settle
from deploy.settings.project_settings import ProjectSettings, find

if TYPE_CHECKING:
    from deploy.cli.json_document import Kind

TRACEBACK_VARIABLE = "DEPLOY_TRACEBACK"
"""Environment variable that shows the traceback of a defect."""

COMPLETION_VARIABLE = "_DEPLOY_COMPLETE"
"""Environment variable in which a shell asks for completions."""

_INTERRUPTED = 128 + signal.SIGINT
_UNREAD = 128 + signal.SIGPIPE
_HELP = ["-h", "--help"]
_COMPLETION_OPTIONS = ("--install-completion", "--show-completion")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"deploy {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Options that stand before the verb."""


# Verb -> its module's function, or group of verbs, and its epilog: a module is imported when its verb is wanted.
_VERBS = {
    "quantize": ("quantize", "quantize", "QUANTIZE_EPILOG"),
    "compile": ("compile", "compile_", "COMPILE_EPILOG"),
    "optimize": ("optimize", "optimize", "OPTIMIZE_EPILOG"),
    "report": ("report", "report", "REPORT_EPILOG"),
    "firmware": ("firmware", "firmware", "FIRMWARE_EPILOG"),
    "run-fvp": ("run_fvp", "run_fvp", "EPILOG"),
    "run-board": ("run_board", "run_board", "RUN_BOARD_EPILOG"),
    "verify": ("verify", "verify", "VERIFY_EPILOG"),
    "check": ("check", "check", "CHECK_EPILOG"),
    "sweep": ("sweep", "sweep", "SWEEP_EPILOG"),
    "evaluate": ("evaluate", "evaluate", "EVALUATE_EPILOG"),
    "search": ("search", "search", "SEARCH_EPILOG"),
    "fvp": ("fvp", "app", None),
    "models": ("models", "models_app", None),
    "doctor": ("doctor", "doctor", None),
    "init": ("init", "init", None),
    "status": ("project_status", "status", None),
}


def command_line(first: str | None = None) -> click.Command:
    """The command line with all its verbs, or with the one that is called: each takes 3 ms to build (measured).

    Args:
        first: the first word of the call; all verbs are there unless it is one of them. Where it asks for help,
            they are there by name and meaning only: their options take most of the time and are not shown.
    """
    app = typer.Typer(
        name="deploy",
        help="Take a trained Keras or TFLite model to an Arm Ethos-U microNPU and prove that it computes there "
        "what it computed before.",
        no_args_is_help=True,
        add_completion=True,
        suggest_commands=not hasattr(click.exceptions, "NoSuchCommand"),  # which says the same a second time
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": _HELP},
    )
    app.callback()(_root)
    for verb in [first] if first in _VERBS else _VERBS:
        file, name, epilog = _VERBS[verb]
        module = importlib.import_module(f"deploy.cli.{file}")
        called = getattr(module, name)
        if isinstance(called, typer.Typer):
            app.add_typer(called, name=verb)
        elif first in _HELP:
            app.command(verb, help=called.__doc__)(_nothing)
        else:
            app.command(verb, epilog=epilog and getattr(module, epilog))(called)
    return typer.main.get_command(app)


def _nothing() -> None:
    """Stands for a verb of which only the meaning is shown."""


def _shown_project() -> bool:
    """Show where the project stands that the working folder belongs to; False where it belongs to none."""
    from deploy.cli.project_status import is_project, show_project

    project = find()
    if not is_project(project):
        return False
    show_project(project)
    return True


def _called(words: list[str], documents: CallDocuments) -> object:
    """Call the verb, with what the project's settings and the environment say beside the command line."""
    if COMPLETION_VARIABLE in os.environ:
        from deploy.cli.completion import answer

        return answer(command_line(), COMPLETION_VARIABLE)
    if not words and _shown_project():
        return ExitStatus.PASS
    if not words or {*_HELP} & {*words}:
        load_help_printer()
    command = command_line(words[0] if words else None)
    project, kept = ProjectSettings(), {}
    if words and words[0] in _VERBS and not {*_HELP} & {*words}:
        if words[0] != "init":
            project = find()
        kept = settle(command, project, _VERBS, lambda options, values: looked_after(options, values, documents))
    return command.main(args=words, standalone_mode=False, default_map=kept, obj=project)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the status of the contract; never shows a traceback."""
    signals_terminate()
    signals_end_waits()
    threading.excepthook = _thread_failed
    if not os.environ.get(TRACEBACK_VARIABLE):
        sys.unraisablehook = lambda _: None  # of a destructor: nobody's business
    leave(run(arguments))


_failed_in_threads: list[BaseException] = []


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    """A thread ended by an exception: no traceback beside what the command says; its exit status tells."""
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        _failed_in_threads.append(failed.exc_value)


def _interrupted() -> int:
    interrupt_answered()
    print("deploy: interrupted", file=sys.stderr)
    return _INTERRUPTED


class _DefectError(DeployError):
    """A defect of our own."""


def _defect(error: BaseException) -> DeployError:
    """The last resort: name the place of a defect of our own without burying the user in a traceback."""
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return _DefectError(
        f"this is a defect of deploy itself: {type(error).__name__} at {place}: {error}",
        hints=[f"{TRACEBACK_VARIABLE}=1 shows the whole traceback; please report it"],
    )


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Args:
        arguments: the words after ``deploy``; None for those of the process.
    """
    words, bare = with_place(sys.argv[1:] if arguments is None else arguments)
    documents = CallDocuments(words, bare=bare)
    _failed_in_threads.clear()

    def failed(error: DeployError) -> int:
        # Compiled packages that it hits while loading "cannot be imported".
        if interrupt_came() or comes_of_interrupt(error):
            return interrupted()
        if (number := termination()) is not None:  # nothing can be printed on a terminal that is gone, for example
            return terminated(number)
        hints = _fitting(error.hints, words)
        report_error(error, hints)
        log = error.log if isinstance(error, TargetError) else ()
        documents.ended(error.message, error.exit_status, _kind(error), hints=hints, log=log)
        return error.exit_status

    def interrupted() -> int:
        status = _interrupted()  # first: on a busy computer it would come again while documents are written
        documents.ended("interrupted", status, "interrupted")
        return status

    def terminated(number: signal.Signals) -> int:
        with contextlib.suppress(OSError):
            print(f"deploy: ended by {number.name}", file=sys.stderr)
        documents.ended(f"ended by {number.name}", 128 + number, "terminated")
        return 128 + number

    def nobody_reads() -> int:
        documents.ended("nobody reads the output any more", _UNREAD, "output_closed")
        return _nobody_reads()

    try:
        answered = _called(words, documents)
        status = answered if isinstance(answered, int) else ExitStatus.PASS
        if status == _INTERRUPTED:  # typer turns Ctrl-C into this status without a word
            return interrupted()
        if _failed_in_threads and not status:
            return failed(_defect(_failed_in_threads[0]))
        documents.finish(status)
    except click.exceptions.Exit as exit_request:
        return exit_request.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        return interrupted()
    except click.ClickException as error:
        error.show()
        documents.ended(error.format_message(), ExitStatus.BAD_INPUT, "bad_input")
        return ExitStatus.BAD_INPUT
    except DeployError as error:
        return failed(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and reader_gone(sys.stdout):
            return nobody_reads()
        return failed(BadInputError(f"{error.filename or 'the system says'}: {error.strerror or error}"))
    except MemoryError:
        return failed(BadInputError("there is not enough memory for this"))
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # click's way to say that nobody reads
            return nobody_reads()
        if not error.code and {*words} & {*_COMPLETION_OPTIONS}:  # typer's way to end them
            return ExitStatus.PASS
        return failed(_defect(error))  # unless a signal raised it
    except Exception as error:
        return failed(_defect(error))
    return status


def _kind(error: DeployError) -> Kind:
    """The kind of an error, as documents call it."""
    if isinstance(error, _DefectError):
        return "defect"
    return cast("Kind", error.exit_status.name.lower())


def _fitting(hints: Sequence[str], words: Sequence[str]) -> Sequence[str]:
    """The hints that help at the verb that was called; to build all verbs costs less than a misleading one."""
    if not any("--" in hint for hint in hints):
        return hints
    from deploy.cli.hints import fitting

    return fitting(hints, words, command_line())


def _nobody_reads() -> int:
    """The reader of our output has gone (`deploy report | head`): nothing left to say, nothing to flush."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _UNREAD
