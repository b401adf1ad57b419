"""The check of operators that ``compile`` made, as lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.judging.verification_record import VerificationRecord

if TYPE_CHECKING:
    from rich.console import Console


def print_verification(record: VerificationRecord, console: Console) -> None:
    """Print what was compared, what was left out, and every fault."""
    check = record.check
    if check.source == "none":
        console.print(f"operators: {'; '.join(check.left_out)}")
    else:
        several = "" if check.inputs == 1 else "s"
        explained = check.differing - check.unexplained
        known = f", {explained} of them differ by a known cause" if explained else ""
        console.print(
            f"operators: {check.operators} compared with the reference on {check.inputs} input{several} "
            f"({record.input_source}){known}"
        )
        for sentence in check.left_out:
            console.print(f"left out: {sentence}")
    for fault in record.faults:
        console.print(f"fault: {fault}")
