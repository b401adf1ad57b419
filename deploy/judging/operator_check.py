"""What a check of operators amounts to, as it stands in verdict documents and in the build folder."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Document


class OperatorCheck(Document):
    """Operators of the source model compared one by one, each on the NPU's own inputs.

    Attributes:
        inputs: how many inputs they were compared on.
        operators: how many were compared, those that a later one absorbs among them.
        differing: how many of these differ from the reference kernels.
        unexplained: how many of these equal no oracle as a whole, and have no known cause. One is enough to fail.
        left_out: what was not compared, and why: one sentence each.
        source: where it was checked: in the run that the document is about, when the build was compiled, or not at
            all.
        sha256: of the compiled model.
    """

    inputs: int = 0
    operators: int = 0
    differing: int = 0
    unexplained: int = 0
    left_out: tuple[str, ...] = ()
    source: Literal["this run", "compile", "none"] = "none"
    sha256: str = ""
