"""The command line: one verb a file, each only translating options into a call of a pipeline module."""

from deploy.cli.main import main

__all__ = ["main"]
