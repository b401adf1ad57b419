"""A console on which text from model files and targets stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from deploy.printable import printable


class SafeConsole(Console):
    """Rich's console; of what is printed, only rich's own styles reach the terminal as control characters.

    In a file or pipe no line ends with the blanks that fill a table up.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        """Print; see :meth:`rich.console.Console.print`."""
        if self.is_terminal:
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        self.file.write(re.sub(r"[ \t]+$", "", captured.get(), flags=re.MULTILINE))
        self.file.flush()

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and take out of each text what would steer the terminal."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)
