"""Takes a trained model to an Arm Ethos-U microNPU and proves that it computes there as before.

The functions of :mod:`deploy.api` are offered here; they are imported when the first of them is used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.api import (
        Run,
        compare,
        compile,  # noqa: A004 - the verb's name
        evaluate,
        open_build,
        open_compiled,
        quantize,
        run,
        verify,
    )

__version__ = "0.1.0"

__all__ = [
    "Run",
    "__version__",
    "compare",
    "compile",
    "evaluate",
    "open_build",
    "open_compiled",
    "quantize",
    "run",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from deploy import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
