"""``FILE.py:function``: runs a function that the user names, in the file that the user names, and nothing else."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from deploy.assignments import keywords_of
from deploy.errors import BadInputError, DeployError
from deploy.interrupts import Terminated


def is_reference(text: str) -> bool:
    """Whether an option names a function: ``FILE.py:function``."""
    file, colon, function = text.rpartition(":")
    return bool(colon) and file.endswith(".py") and function.isidentifier()


def split(reference: str) -> tuple[Path, str]:
    """The file and the function's name of a reference for which :func:`is_reference` holds."""
    file, _, function = reference.rpartition(":")
    return Path(file), function


def call(reference: str, assignments: Sequence[str] = ()) -> Any:
    """Execute the file and call the function, without arguments or with some by name.

    The file's folder is appended to the import path, so the file may import what lies beside it, but nothing
    there can take the place of an installed package.

    Returns:
        What the function returns. If that is a generator, its code has not run yet: iterate inside
        :func:`errors_reported`.

    Raises:
        BadInputError: there is no such file or function, it has no such parameter, or it raises (the message
            gives the line).
    """
    function = load(reference)
    keywords = keywords_of(function, assignments, reference)
    with errors_reported(reference):
        return function(**keywords)


def parameters(reference: str) -> frozenset[str]:
    """The names of the function's parameters, after executing its file.

    Raises:
        BadInputError: there is no such file or function.
    """
    function = load(reference)
    with contextlib.suppress(TypeError, ValueError):  # classes and built-in functions that tell nothing
        return frozenset(inspect.signature(function).parameters)
    return frozenset()


@contextlib.contextmanager
def errors_reported(reference: str) -> Iterator[None]:
    """Turn an exception inside the user's code into one clear error with its line.

    Its folder can be imported from meanwhile, and nothing is written there, bytecode neither.

    Raises:
        BadInputError: the block raised anything but an error of our own.
    """
    file, _ = split(reference)
    folder = str(file.resolve().parent)
    sys.path.append(folder)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    except (DeployError, Terminated):
        raise
    except (Exception, SystemExit) as error:
        raise BadInputError(f"{reference}: {_describe(error, file)}") from error
    finally:
        sys.dont_write_bytecode = kept
        if folder in sys.path:
            # The last one: the same folder may have stood there before.
            del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]


def load(reference: str) -> Callable[..., Any]:
    """The function, after executing its file.

    Raises:
        BadInputError: there is no such file or function, or the file raises.
    """
    file, name = split(reference)
    if not file.is_file():
        raise BadInputError(f"{file}:{name}: there is no file {file}")
    spec = importlib.util.spec_from_file_location(f"deploy_user_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{file}: cannot be loaded as Python source")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, pickling and Keras' serialization look their module up by name.
    sys.modules[spec.name] = module
    with errors_reported(f"{file}:{name}"):
        spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        known = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", None) == spec.name
        ]
        raise BadInputError(
            f"{file}: there is no function {name}",
            hints=[f"functions in that file: {', '.join(known)}"] if known else [],
        )
    return function  # type: ignore[no-any-return]


def _describe(error: BaseException, file: Path) -> str:
    """``line 12: ValueError: message``, where the line is the last one in the user's own file."""
    what = traceback.format_exception_only(error)[-1].strip()
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {what}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).resolve() == file.resolve()]
    return f"line {own[-1].lineno}: {what}" if own else what
