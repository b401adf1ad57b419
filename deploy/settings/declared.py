"""What is known of an option: read from a verb's signature, for settings files, environment and pages."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.models import ArgumentInfo, OptionInfo

Written = Literal["file", "document", "answer", "folder", "replaced folder"]
Kind = Literal["text", "path", "whole number", "number", "switch", "list of texts"]
_KINDS: Mapping[Any, Kind] = {
    str: "text",
    Path: "path",
    int: "whole number",
    float: "number",
    bool: "switch",
    list[str]: "list of texts",
    list[Path]: "path",
}


@dataclass(frozen=True)
class Shared:
    """Marks an option that verbs share: it has a key at the top of ``deploy.toml`` and a variable ``DEPLOY_KEY``.

    Attributes:
        key: in ``deploy.toml``.
        example: a value, for the file that ``deploy init`` writes.
        choices: the texts that it takes; empty for any.
        sizes: whether a whole number does as well as a text.
        belongs_to: key of the option without which a kept value means nothing: where that one is typed, the kept
            value of this one is not used.
        belongs_if: restricts that to some texts of the other.
        also: other keys that stand for this one where it is not there: an older name, or what serves several.
    """

    key: str
    example: Any
    choices: tuple[str, ...] = ()
    sizes: bool = False
    belongs_to: str | None = None
    belongs_if: Callable[[str], bool] | None = None
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Writes:
    """Marks an option that names what its verb writes.

    Attributes:
        what: ``file``; ``document``, a file that says what an earlier call found, as long as it lies there;
            ``answer``, the document of the call, which says ``error`` until the call has ended; ``folder``; or
            ``replaced folder``, of which nothing stays.
    """

    what: Written


@dataclass(frozen=True)
class NamesPath:
    """Marks an option whose text may name a file or folder: kept, it is relative to the file that it stands in.

    Attributes:
        test: whether a text does.
    """

    test: Callable[[str], bool] = lambda text: True


@dataclass(frozen=True)
class Declared:
    """An option or argument of a verb.

    Attributes:
        key: in ``deploy.toml``: at the top for one that is shared, else in the verb's table.
        parameter: of the verb's function.
        shared: its mark; None for an option of this verb alone.
        writes: what it names to be written; None for what is read, or no path.
        is_path: whether a text names a file or folder.
    """

    key: str
    parameter: str
    kind: Kind
    help: str
    minimum: float | None = None
    maximum: float | None = None
    shared: Shared | None = None
    writes: Written | None = None
    is_path: Callable[[str], bool] = lambda text: False

    @property
    def keys(self) -> tuple[str, ...]:
        """The key, and those that stand for it where it is not there."""
        return (self.key, *(self.shared.also if self.shared else ()))


def option(*names: str, help: str, default: Any = None, **more: Any) -> Any:  # noqa: A002 - typer's name for it
    """An option with its default, for an ``Annotated`` type: the signature says neither again."""
    return typer.Option(*names, help=help, default_factory=lambda: default, show_default=False, **more)


def argument(*, help: str, default: Any = None, **more: Any) -> Any:  # noqa: A002 - typer's name for it
    """An argument that may be left out; see :func:`option`."""
    return typer.Argument(help=help, default_factory=lambda: default, show_default=False, **more)


def declared_by(function: Callable[..., Any]) -> tuple[Declared, ...]:
    """The options and arguments that a verb's signature declares, in its order."""
    hints = typing.get_type_hints(function, include_extras=True)
    found: list[Declared] = []
    for name in inspect.signature(function).parameters:
        declared = declaration(name, hints[name])
        if any(declared.key == other.key for other in found):  # an option --build beside the argument BUILD
            declared = Declared(**{**vars(declared), "key": name})
        found.append(declared)
    return tuple(found)


def declaration(parameter: str, annotated: Any) -> Declared:
    """What an ``Annotated`` type declares for a parameter of that name."""
    base, *marks = typing.get_args(annotated) if typing.get_origin(annotated) is Annotated else (annotated,)
    info = next((mark for mark in marks if isinstance(mark, OptionInfo | ArgumentInfo)), None)
    shared = next((mark for mark in marks if isinstance(mark, Shared)), None)
    writes = next((mark.what for mark in marks if isinstance(mark, Writes)), None)
    kind = _kind(base)
    path = next((mark for mark in marks if isinstance(mark, NamesPath)), NamesPath(lambda text: kind == "path"))
    return Declared(
        key=shared.key if shared else _long_name(parameter, info),
        parameter=parameter,
        kind=kind,
        help=(info.help or "").strip() if info else "",
        minimum=info.min if info else None,
        maximum=info.max if info else None,
        shared=shared,
        writes=writes,
        is_path=path.test,
    )


def _long_name(parameter: str, info: OptionInfo | ArgumentInfo | None) -> str:
    """``fail_on`` for ``--fail-on``."""
    names = [info.default, *(info.param_decls or ())] if isinstance(info, OptionInfo) else []
    long = [name for name in names if isinstance(name, str) and name.startswith("--")]
    return (long[0].partition("/")[0][2:] if long else parameter).replace("-", "_")


def _kind(annotation: Any) -> Kind:
    if isinstance(annotation, types.UnionType):
        annotation = next(part for part in typing.get_args(annotation) if part is not type(None))
    return _KINDS[annotation]
