"""Takes a user's ``.tflite``: what is compiled, searched for cheaper forms, or swept over."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy.errors import BadInputError
from deploy.intake.interface import copy_shared_outputs, is_plain, name_tensors
from deploy.intake.open_shapes import computes_shapes, described, fix_shapes, open_inputs, unshaped_outputs
from deploy.intake.signatures import choice_notes, chosen, keep, signatures_of
from deploy.tflite import Model, damage_named, load, read
from deploy.tflite.records import packed, unpacked


@dataclass(frozen=True)
class Taken:
    """A model to work on.

    Attributes:
        model: as the file has it, to the last byte, where nothing had to be changed.
        notes: what was chosen or changed, one sentence each.
    """

    model: Model
    notes: tuple[str, ...] = ()


def take_file(path: Path, signature: str | None = None) -> Taken:
    """Read a file and take it.

    Raises:
        BadInputError: as :func:`deploy.tflite.read` and :func:`take`.
    """
    return take(read(path), str(path), signature)


def take(model: Model, source: str, signature: str | None = None) -> Taken:
    """Choose a signature, and put into the file what later steps rely on.

    Args:
        model: as read.
        source: names it in errors.
        signature: that is wanted; None for ``serving_default``, or the only one.

    Returns:
        A model of the chosen signature alone, whose inputs and outputs are tensors of their own and have names,
        and whose shapes are fixed.

    Raises:
        BadInputError: there is no such signature, several to choose from, or an open batch size that cannot be
            fixed to 1.
    """
    notes: list[str] = []
    entries = signatures_of(model)
    keys = [entry.key for entry in entries]
    number = chosen(keys, signature, source)
    if number is not None and (len(entries) > 1 or entries[number].subgraph != 0):
        record = unpacked(model.content)
        with damage_named(source):
            keep(record, number)
            model = load(packed(record), source=source)
        notes += choice_notes(keys, number)
    opened, unshaped = open_inputs(model), unshaped_outputs(model)
    if opened and computes_shapes(model):
        model = _fixed(model, source)
        notes.append(f"open shapes are fixed, batch 1: {described(opened)}")
    elif unshaped:
        try:
            model = _fixed(model, source)
            notes.append(
                f"outputs without a shape in the file get the one that LiteRT makes: {', '.join(unshaped)}"
            )
        except BadInputError:
            notes.append(f"outputs have no shape in the file, and LiteRT cannot say it: {', '.join(unshaped)}")
    # A converter writes 1 for every open size; of a batch that is what is meant.
    larger = {name: shape for name, shape in opened.items() if min(shape[1:], default=0) < 0}
    if larger:
        notes.append(f"sizes that the file leaves open are compiled as 1: {described(larger)}")
    if not is_plain(model):
        record = unpacked(model.content)
        with damage_named(source):
            notes += name_tensors(record)
            notes += copy_shared_outputs(record)
            model = load(packed(record), source=source)
    return Taken(model, tuple(notes))


def _fixed(model: Model, source: str) -> Model:
    record = unpacked(model.content)
    fix_shapes(record, model, source)
    return load(packed(record), source=source)
