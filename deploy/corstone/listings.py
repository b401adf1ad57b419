"""What the program prints instead of running: help, version, and what there is, in the form of Arm's FVPs."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.corstone.command_line import MachineOptions
from deploy.corstone.file_arguments import cpu_instances
from deploy.corstone.options import usage
from deploy.corstone.parameters import Parameter, parameter_table, shown
from deploy.corstone.qemu import FOLLOWED, version_lines
from deploy.corstone.stand_in import StandIn

_REGISTERS = (*(f"R{number}" for number in range(13)), "SP", "LR", "PC", "XPSR")


def listing(options: MachineOptions, program: str) -> str:
    """What is asked for, without a line end.

    Args:
        options: with something to show.
        program: the name that it was called by.
    """
    model = options.model
    match options.show:
        case "help":
            return usage().format(program=program).rstrip()
        case "version":
            return version_lines(model.name, options.release or FOLLOWED)
        case "instances":
            return instances(model)
        case "memory":
            return memories(model)
        case "registers":
            return "\n".join(f"{cpu_instances(model)[0]}.{name}" for name in _REGISTERS)
        case _:
            return format_table(options.parameters)


def format_table(table: Mapping[str, Parameter]) -> str:
    """The table as ``-l`` of Arm's FVPs prints theirs."""
    lines = [
        "# Parameters:",
        "# instance.parameter=value       #(type, mode) default = 'def value' : description : [min..max]",
        "#" + "-" * 94,
    ]
    for parameter in table.values():
        text = shown(parameter.default)
        limits = ""
        if parameter.choices:
            limits = " : [" + ", ".join(shown(choice) or "''" for choice in parameter.choices) + "]"
        elif parameter.type_name == "int":
            limits = f" : [{parameter.low:#x}..{parameter.high:#x}]"
        use = (
            ""
            if parameter.use == "honoured"
            else f" ({parameter.use}{': ' * bool(parameter.note)}{parameter.note})"
        )
        kind = f"({parameter.type_name:6}, init-time) default = {chr(39) + text + chr(39):8}"
        comment = f"# {kind} : {parameter.description}{use}{limits}"
        lines.append(f"{parameter.name + '=' + (text or chr(34) * 2):60} {comment}")
    return "\n".join(lines)


def instances(model: StandIn) -> str:
    """What parameters and files can be for, and what it is."""
    words = {
        model.instances["board"]: model.hardware.platform,
        model.instances["cpu"]: model.hardware.cpu.name,
        model.instances["npu"]: f"Ethos-{model.family}",
        **dict.fromkeys(model.memories.instances, "memory"),
    }
    names = {name.rpartition(".")[0] for name in parameter_table(model.board, model.family)} | set(words)
    return "\n".join(f"{model.fvp}.{name:60} {words.get(name, '')}".rstrip() for name in sorted(names))


def memories(model: StandIn) -> str:
    """The memories, with their addresses and sizes in bytes."""
    lines = ["name   Non-secure  Secure      size"]
    lines += [
        f"{each.name:6} 0x{each.nonsecure:08x}  0x{each.secure:08x}  0x{each.size:x}"
        + f"  ({each.blocks} blocks, Non-secure and Secure in turn)" * (each.blocks > 1)
        for each in model.hardware.memories
    ]
    return "\n".join(lines)
