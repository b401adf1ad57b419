"""``python -m deploy.corstone`` and the program ``open-corstone-300``."""

from deploy.processes.quick_start import quick_start


def main() -> None:
    """Import and run the command line."""
    quick_start()
    from deploy.corstone.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
