"""Vela and the TFLite converter, imported once by each process of tests and not once a run.

Most runs here are of small networks: Vela's import is half of what one takes, TensorFlow's nine tenths of what a
conversion takes. So they are forks of a process that holds the tool imported, as those of a sweep and a search are
(:mod:`deploy.processes.warm`, whose tests compare them with the command), and sweeps and searches here take this
one instead of their own. What starts anew, as it does for users: every run below a ``deploy`` that is a process of
its own, and every run in an environment that a test has changed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from deploy.cli import latency
from deploy.compiling import compiler, vela, vela_program
from deploy.processes import warm
from deploy.processes.limits import DEFAULT_LIMITS, Limits
from deploy.processes.supervisor import Ended, RunCommand, Supervisor
from deploy.processes.warm import WarmPool
from deploy.quantizing import conversion, converter

_DECISIVE = ("HOME", "PATH", "PYTHONPATH")
"""Variables that decide what a tool does and that tests change; libraries set others as they go."""

_TEMPORARY = "TMPDIR"
"""Where a tool puts temporary files. Vela has none: what a run of it reads and writes is in its folder."""

_IMPORT_S = 1.7
"""What a start of Vela takes where many tests are run at once: how long `compile` checks its result goes by it."""


class WarmTool:
    """Runs a tool's command in forks of one process, and anew where the environment is another by now.

    Args:
        module: run as ``python -m``.
        imported: the module that is imported once.
        limits: of a run.
        temporary: whether it writes temporary files.
    """

    def __init__(
        self, module: str, imported: str, limits: Limits = DEFAULT_LIMITS, *, temporary: bool = True
    ) -> None:
        self._pool, self._cold = WarmPool(module, imported, limits), Supervisor(limits=limits)
        names = (*_DECISIVE, _TEMPORARY) if temporary else _DECISIVE
        self._environment = {name: os.environ.get(name) for name in names}

    @property
    def usable(self) -> bool:
        """Whether the environment is the one that the tool has."""
        return all(os.environ.get(name) == value for name, value in self._environment.items())

    def run(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        """Run a command in a folder and wait for its end."""
        run: RunCommand = self._pool.run if self.usable else self._cold.run
        return run(command, folder, timeout_s=timeout_s)

    def close(self) -> None:
        """End its process."""
        self._pool.close()


class TimedFromItsStart(compiler.Timed):
    """Notes how long Vela would have taken that had to start."""

    def __call__(self, command: Sequence[str], folder: Path, *, timeout_s: float) -> Ended:
        ended = super().__call__(command, folder, timeout_s=timeout_s)
        self.seconds += _IMPORT_S
        return ended


@contextlib.contextmanager
def warm_tools() -> Iterator[None]:
    """Let both tools run warm in this process until the context ends."""
    vela_tool = WarmTool(vela_program.MODULE, vela_program.IMPORTED, vela_program.LIMITS, temporary=False)
    quantizer = WarmTool(converter.MODULE, "tensorflow.lite.python.lite")
    tools = {vela_program.MODULE: vela_tool, converter.MODULE: quantizer}
    start, pool = latency.starting_vela, warm.pool

    @contextlib.contextmanager
    def started(*, twin: bool = False) -> Iterator[RunCommand]:
        with contextlib.nullcontext(vela_tool.run) if vela_tool.usable else start(twin=twin) as run:
            yield run

    def pool_of(module: str, imported: str, limits: Limits = DEFAULT_LIMITS) -> WarmTool | warm.WarmPool:
        tool = tools.get(module)
        return tool if tool is not None and tool.usable else pool(module, imported, limits)

    with pytest.MonkeyPatch.context() as patch, contextlib.closing(vela_tool), contextlib.closing(quantizer):
        patch.setattr(vela, "Supervisor", lambda **_limits: vela_tool)
        patch.setattr(compiler, "Timed", TimedFromItsStart)
        patch.setattr(latency, "starting_vela", started)
        patch.setattr(warm, "pool", pool_of)
        patch.setattr(conversion, "convert", partial(converter.convert, run=quantizer.run))
        yield
