"""Assembles the verbs and turns every error into one clear message and the exit status of the contract."""

from __future__ import annotations

import functools
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy import __version__
from deploy.cli.console import report_error
from deploy.errors import BadInputError, DeployError, ExitStatus
from deploy.leave import leave

if TYPE_CHECKING:
    import click

TRACEBACK_VARIABLE = "DEPLOY_TRACEBACK"
"""Environment variable that shows the traceback of a defect."""

_INTERRUPTED = 128 + signal.SIGINT

app = typer.Typer(
    name="deploy",
    help="Take a trained Keras or TFLite model to an Arm Ethos-U microNPU and prove that it computes there "
    "what it computed before.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"deploy {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Options that stand before the verb."""


@functools.cache
def _register_verbs() -> None:
    """Import the verb modules; each holds one verb and imports what is heavy inside it."""
    from deploy.cli.compile import COMPILE_EPILOG, compile_
    from deploy.cli.doctor import doctor
    from deploy.cli.evaluate import EVALUATE_EPILOG, evaluate
    from deploy.cli.firmware import FIRMWARE_EPILOG, firmware
    from deploy.cli.fvp import app as fvp_app
    from deploy.cli.init import init
    from deploy.cli.models import models_app
    from deploy.cli.optimize import OPTIMIZE_EPILOG, optimize
    from deploy.cli.quantize import QUANTIZE_EPILOG, quantize
    from deploy.cli.report import REPORT_EPILOG, report
    from deploy.cli.run_board import RUN_BOARD_EPILOG, run_board
    from deploy.cli.run_fvp import EPILOG, run_fvp
    from deploy.cli.search import SEARCH_EPILOG, search
    from deploy.cli.sweep import SWEEP_EPILOG, sweep
    from deploy.cli.verify import VERIFY_EPILOG, verify

    app.command("quantize", epilog=QUANTIZE_EPILOG)(quantize)
    app.command("compile", epilog=COMPILE_EPILOG)(compile_)
    app.command("optimize", epilog=OPTIMIZE_EPILOG)(optimize)
    app.command("report", epilog=REPORT_EPILOG)(report)
    app.command("firmware", epilog=FIRMWARE_EPILOG)(firmware)
    app.command("run-fvp", epilog=EPILOG)(run_fvp)
    app.command("run-board", epilog=RUN_BOARD_EPILOG)(run_board)
    app.command("verify", epilog=VERIFY_EPILOG)(verify)
    app.command("sweep", epilog=SWEEP_EPILOG)(sweep)
    app.command("evaluate", epilog=EVALUATE_EPILOG)(evaluate)
    app.command("search", epilog=SEARCH_EPILOG)(search)
    app.add_typer(fvp_app, name="fvp")
    app.add_typer(models_app, name="models")
    app.command("doctor")(doctor)
    app.command("init")(init)


def command() -> click.Command:
    """The command line with all its verbs, for those who run, describe or check it."""
    _register_verbs()
    return typer.main.get_command(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the status of the contract; never shows a traceback."""
    signal.signal(signal.SIGTERM, _terminated)
    leave(run(arguments))


def _terminated(_number: int, _frame: object) -> None:
    """Leave through the exit handlers, so that temporary folders and simulators go, too."""
    sys.exit(128 + signal.SIGTERM)


def _interrupted() -> int:
    print("deploy: interrupted", file=sys.stderr)
    return _INTERRUPTED


def _caused_by_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: compiled packages that it hits while loading "cannot be imported"."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _internal_error(error: Exception) -> int:
    """The last resort: name the place of a defect of our own without burying the user in a traceback."""
    if os.environ.get(TRACEBACK_VARIABLE):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    report_error(
        DeployError(
            f"this is a defect of deploy itself: {type(error).__name__} at {place}: {error}",
            hints=[f"{TRACEBACK_VARIABLE}=1 shows the whole traceback; please report it"],
        )
    )
    return ExitStatus.TARGET_FAILED


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Args:
        arguments: the words after ``deploy``; None for those of the process.
    """
    import click

    try:
        status = command().main(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        return exit_request.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        return _interrupted()
    except click.ClickException as error:
        error.show()
        return ExitStatus.BAD_INPUT
    except DeployError as error:
        if _caused_by_interrupt(error):
            return _interrupted()
        report_error(error)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone (`deploy report | head`): nothing left to say, nothing to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        report_error(BadInputError(f"{error.filename or 'the system says'}: {error.strerror or error}"))
        return ExitStatus.BAD_INPUT
    except Exception as error:
        return _internal_error(error)
    if status == _INTERRUPTED:  # typer turns Ctrl-C into this status without a word
        return _interrupted()
    return status if isinstance(status, int) else ExitStatus.PASS
