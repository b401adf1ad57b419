"""The JSON document of a call: what every verb's has in common, and behind it what the verb found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from deploy import __version__
from deploy.build_folder import Document
from deploy.cli.answers import schema_name
from deploy.printable import printable_json

Kind = Literal[
    "fail",
    "bad_input",
    "not_installed",
    "target_failed",
    "interrupted",
    "output_closed",
    "terminated",
    "defect",
    "unfinished",
]


class Failure(Document):
    """What stopped a command.

    Attributes:
        kind: ``fail``, ``bad_input``, ``not_installed`` and ``target_failed`` are exit statuses 1 to 4;
            ``interrupted``, ``output_closed`` (nobody reads it any more) and ``terminated`` 130, 141 and 143 (129
            where the terminal was closed); ``defect`` is one of deploy itself; ``unfinished`` stands in a file
            until the command has ended, and stays where it was killed.
        message: what is wrong, as standard error says it.
        hints: what to try.
        log: last lines of the target, where one failed.
    """

    kind: Kind
    message: str
    hints: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


class Head(Document):
    """What every document of ``--json`` begins with.

    Attributes:
        schema: what the document keeps to: ``ethosu-deploy/VERB/VERSION``.
        deploy: version of deploy that wrote it.
        exit_status: of the command.
        error: what stopped the command; null where nothing did. Where it is not null, what the verb found may be
            missing.
        notes: what a reader should know, one sentence each.
        written: files and folders that the command wrote for its user, as it was told to name them.
    """

    schema_: str = Field(alias="schema")
    deploy: str = __version__
    exit_status: int
    error: Failure | None = None
    notes: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


def document_text(
    name: str,
    found: Document | None,
    exit_status: int,
    *,
    error: Failure | None = None,
    notes: Sequence[str] = (),
    written: Sequence[str] = (),
) -> str:
    """The document as JSON, safe to print.

    Args:
        name: of the document, see :mod:`deploy.cli.answers`.
        found: by the verb; its notes come before those of the call. None where it did not come so far.
        exit_status: of the command.
        error: what stopped it.
        notes: of the call.
        written: what it wrote.
    """
    own = json.loads(found.model_dump_json()) if found is not None else {}
    head = Head(
        schema=schema_name(name),
        exit_status=exit_status,
        error=error,
        notes=tuple(dict.fromkeys([*own.get("notes", ()), *notes])),
        written=tuple(dict.fromkeys(written)),
    )
    whole = json.loads(head.model_dump_json(by_alias=True))
    return printable_json(json.dumps({**whole, **own, **whole}, indent=2, ensure_ascii=False)) + "\n"
