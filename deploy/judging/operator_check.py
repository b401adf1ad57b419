"""What a check of operators amounts to, as it stands in verdict documents and in the build folder."""

from __future__ import annotations

from typing import Literal

from deploy.build_folder import Document


class OperatorCheck(Document):
    """Operators of the source model compared one by one, each on the NPU's own inputs.

    Attributes:
        inputs: how many inputs they were compared on.
        made_up: on how many sets of made-up values of their own they were compared as well.
        operators: how many were compared, those that a later one absorbs among them.
        differing: how many of these differ from the reference kernels.
        unexplained: how many of these equal no oracle as a whole, and have no known cause, or have another bias or
            scale than the model says. One is enough to fail.
        exact: of how many convolutions the biases and scales of all channels were held against the source model's.
        inexact: of how many they were not, because Vela computes these in another form.
        left_out: what was not compared, and why: one sentence each.
        source: where it was checked: in the run that the document is about, when the build was compiled, in a run
            after that, or not at all.
        sha256: of the compiled model.
    """

    inputs: int = 0
    made_up: int = 0
    operators: int = 0
    differing: int = 0
    unexplained: int = 0
    exact: int = 0
    inexact: int = 0
    left_out: tuple[str, ...] = ()
    source: Literal["this run", "compile", "an earlier run", "none"] = "none"
    sha256: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What people should know of it; nothing where nothing was checked or left out."""
        left = tuple(f"not compared: {sentence}" for sentence in self.left_out)
        if self.inexact:
            left += (
                f"not compared as numbers: biases and scales of {self.inexact} of {self.exact + self.inexact} "
                "convolutions, which Vela computes in another form",
            )
        if self.source == "none":
            return left
        known = self.differing - self.unexplained
        found = ["all equal" if not self.differing and not self.unexplained else ""]
        found += [f"{known} differ by a known cause" if known > 0 else ""]
        found += [f"{self.unexplained} fail" if self.unexplained else ""]
        when = {"compile": ", when the build was compiled", "an earlier run": ", in an earlier run"}.get(
            self.source, ""
        )
        inputs = f"{self.inputs} input{'' if self.inputs == 1 else 's'}"
        inputs += f", and on {self.made_up} sets of made-up values" if self.made_up else ""
        said = ", ".join(filter(None, found))
        return (f"{self.operators} compared, each on the NPU's own values, {inputs}{when}: {said}", *left)
