"""The command line of the open machine: what `FVP_Corstone_SSE-300_Ethos-U55` and its like are to Arm's models."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.corstone.command_line import parse_options
from deploy.corstone.messages import Console, StopRequest, report_error
from deploy.corstone.stand_in import named
from deploy.errors import DeployError, TargetError
from deploy.interrupts import interrupt_answered, interrupts_are_kept, signals_end_waits
from deploy.processes.leave import leave
from deploy.processes.standard_streams import standard_streams


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; never shows a traceback for what a user or a program did."""
    standard_streams()
    interrupts_are_kept()
    signals_end_waits()
    words = list(sys.argv[1:] if arguments is None else arguments)
    program = Path(sys.argv[0]).name
    leave(run(words, program="open-corstone-300" if program == "__main__.py" else program))


def run(arguments: Sequence[str], *, program: str = "open-corstone-300") -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name.
        program: the name it was called by; ``SSE-310`` and ``Ethos-U65`` in it ask for that board and NPU.

    Returns:
        The exit status, as the usage text lists them.
    """
    try:
        board, family = named(program)
        options = parse_options(arguments, board=board, family=family)
        if options.show is not None:
            from deploy.corstone.listings import listing

            _show(listing(options, program), options.output)
        else:
            from deploy.corstone.simulation import simulate

            return simulate(options, Console(quiet=options.quiet))
    except DeployError as error:
        report_error(error)
        return error.exit_status
    except StopRequest as request:
        return request.status
    except KeyboardInterrupt:
        interrupt_answered()
        return 130
    except BrokenPipeError:
        # The reader of the standard output is gone: nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return TargetError.exit_status
    return 0


def _show(text: str, output: Path | None) -> None:
    if output is None:
        print(text)
    else:
        from deploy.files import write_text

        write_text(output, f"{text}\n")
