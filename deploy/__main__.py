"""``python -m deploy`` and the program ``deploy``: quiet about Ctrl-C from the first moment on."""

import os
import signal
import sys

from deploy.interrupts import interrupt_answered, interrupts_are_kept
from deploy.processes.quick_start import quick_start
from deploy.processes.standard_streams import standard_streams


def main() -> None:
    """Import and run the command line; importing alone takes long enough to be interrupted."""
    standard_streams()
    # Looking for plugins that nobody has takes pydantic longer than all else at its import.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    quick_start()
    interrupts_are_kept()
    try:
        from deploy.cli.latency import start_vela

        start_vela(sys.argv[1:])
        from deploy.cli.main import main as command_line
    except KeyboardInterrupt:
        interrupt_answered()
        print("deploy: interrupted", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    command_line()


if __name__ == "__main__":
    main()
