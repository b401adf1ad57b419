"""The axes of a sweep: what lists and ``all`` on the command line stand for, and which combinations exist."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.compiling.compile_options import OPTIMISE, CompileOptions, compile_options, parse_size
from deploy.compiling.vela_config import goes_together, installed_config
from deploy.errors import BadInputError
from deploy.hardware.npus import Npu, modelled, npu_named
from deploy.sweeping.documents import Skipped
from deploy.zoo import model_source
from deploy.zoo.model_source import ModelSource

ALL = "all"
_MAX_NETWORKS = 1_000


def targets(
    npus: str = ALL,
    systems: str | None = None,
    memories: str | None = None,
    strategies: str | None = None,
    sram_limit: str | int | None = None,
) -> tuple[tuple[CompileOptions, ...], tuple[Skipped, ...]]:
    """Everything to compile a network for; lists are separated by commas, ``all`` stands for what goes together.

    Returns:
        The combinations, and those that do not exist, with the reason.

    Raises:
        BadInputError: a name that nothing has, or no combination is left.
        NotInstalledError: Vela is missing.
    """
    config = installed_config()
    chosen = modelled() if npus.strip().lower() == ALL else None
    chosen = chosen or tuple(npu_named(name) for name in _listed("--npu", npus))
    system_names = _names("--system-config", systems, config.systems)
    memory_names = _names("--memory-mode", memories, config.memories)
    found: dict[CompileOptions, None] = {}
    skipped: dict[Skipped, None] = {}
    wanted = [name.capitalize() for name in _listed("--optimise", strategies)] if strategies else OPTIMISE[:1]
    if unknown := next((name for name in wanted if name not in OPTIMISE), None):
        raise BadInputError(f"--optimise {unknown}: choose {' or '.join(OPTIMISE)}, or both with a comma")
    limit = parse_size(sram_limit) if sram_limit is not None else None
    for npu in dict.fromkeys(chosen):
        for system, memory in _sections(npu, system_names, memory_names):
            try:
                options = [
                    compile_options(
                        npu, system_config=system, memory_mode=memory, optimise=strategy, sram_limit=limit
                    )
                    for strategy in wanted
                ]
            except BadInputError as error:
                what = " ".join(filter(None, (system, memory)))
                # Its beginning names the options once more.
                skipped[Skipped(npu=npu.name, what=what, reason=error.message.rpartition(": ")[2])] = None
            else:
                found |= dict.fromkeys(options)
    if not found:
        first = next(iter(skipped), None)
        raise BadInputError(
            "no combination of NPU, system configuration and memory mode is left to compile for",
            hints=[f"{first.npu} {first.what}: {first.reason}"] if first else [],
        )
    return tuple(found), tuple(skipped)


@dataclass(frozen=True)
class Unusable:
    """A network that the model's family does not have."""

    assignments: tuple[str, ...]
    reason: str


def sources(
    text: str, assignments: Sequence[str], sizes: str | None = None, signature: str | None = None
) -> tuple[ModelSource | Unusable, ...]:
    """The networks to sweep over: every combination of the values of their options.

    Several values of an option are separated by commas, or by semicolons where a value itself holds commas.

    Returns:
        The networks; in their place, those that cannot be, with the reason.

    Raises:
        BadInputError: no such model, or none of the networks can be.
    """
    axes = [*assignments, *([f"size={sizes}"] if sizes else [])]
    if not axes:
        return (model_source.parse(text, (), signature),)
    whole = _takes_commas(text)
    values = [[f"{key}={value}" for value in _values(listed, key, whole)] for key, listed in map(_split, axes)]
    keys = [axis.partition("=")[0] for axis in axes]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise BadInputError(f"--set {twice}: stands twice", hints=[f"--set {twice}=VALUE,VALUE"])
    combinations = list(itertools.islice(itertools.product(*values), _MAX_NETWORKS + 1))
    if len(combinations) > _MAX_NETWORKS:
        raise BadInputError(f"the options make more than {_MAX_NETWORKS} networks")
    found: list[ModelSource | Unusable] = []
    errors = []
    for combination in combinations:
        try:
            found.append(model_source.parse(text, combination, signature))
        except BadInputError as error:
            errors.append(error)
            found.append(Unusable(combination, error.message))
    if len(errors) == len(found):
        raise errors[0]
    return tuple(found)


def _sections(
    npu: Npu, systems: Sequence[str] | None, memories: Sequence[str] | None
) -> Iterable[tuple[str | None, str | None]]:
    """Pairs of system configuration and memory mode; None for the default."""
    config = installed_config()
    own = [name for name in config.systems if name.startswith(f"Ethos_{npu.family}_")]
    wanted: Sequence[str | None] = own if systems == [ALL] else systems or [None]
    modes: Sequence[str | None] = memories or [None]
    for system in wanted:
        if modes != [ALL]:
            yield from ((system, memory) for memory in modes)
        elif system is not None and system not in own:
            yield system, None  # a system of another NPU: named once, as what does not go together
        else:
            named = system or npu.system_config
            yield from ((system, memory) for memory in config.memories if goes_together(npu, named, memory))


def _names(option: str, text: str | None, known: Mapping[str, Any]) -> list[str] | None:
    """The sections that a list names; each must exist, for whatever NPU."""
    if text is None:
        return None
    if text.strip().lower() == ALL:
        return [ALL]
    names = _listed(option, text)
    for name in names:
        if name not in known:
            raise BadInputError(f"{option} {name}: there is no such section", hints=[f"known: {', '.join(known)}"])
    return names


def _listed(option: str, text: str) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names:
        raise BadInputError(f"{option} {text!r}: names nothing")
    return names


def _split(assignment: str) -> tuple[str, str]:
    key, equals, value = assignment.partition("=")
    if not equals or not value.strip():
        raise BadInputError(f"--set {assignment}: must be KEY=VALUE or KEY=VALUE,VALUE")
    return key, value


def _values(text: str, key: str, whole: Callable[[str], bool]) -> list[str]:
    """The values of one option."""
    if ";" in text:
        parts = text.split(";")
    elif whole(key):
        parts = [text]
    else:
        parts = text.split(",")
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _takes_commas(text: str) -> Callable[[str], bool]:
    """Whether one value of an option is a list or mapping, written with commas."""
    if not text.startswith("models:"):
        return lambda _key: False
    from deploy import zoo

    defaults = zoo.options(zoo.find(text.removeprefix("models:")))
    return lambda key: isinstance(getattr(defaults, key, None), Mapping | tuple | list)
