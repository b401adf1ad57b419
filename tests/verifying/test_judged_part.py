"""Models that end in an operator of somebody's own, which no kernels know: what is in front of it is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tflite_writer import GraphWriter, schema

from deploy import api, tflite
from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging.verification_record import record_of
from deploy.verifying.compiled_file import build_of
from deploy.verifying.judged_part import judged_part


def decoder(*, added: int = 1, behind: bool = False, other_output: bool = False) -> bytes:
    """x + a constant and |x| in int8, then a decoder that takes both and gives two floats, as that of poses does.

    Args:
        added: first element of the constant.
        behind: whether an operator that has nothing to do with the decoder stands behind it in the file.
        other_output: whether the sum is an output, too.
    """
    writer = GraphWriter("decoder")
    x, sums = writer.tensor("x", [1, 16], "int8", 0.05), writer.tensor("sums", [1, 16], "int8", 0.1)
    sizes, last = writer.tensor("sizes", [1, 16], "int8", 0.05), writer.tensor("last", [1, 16], "int8", 0.05)
    some = writer.tensor("some", [1, 16], "int8", 0.1, data=np.arange(added, added + 16, dtype=np.int8))
    poses, sure = writer.tensor("poses", [], "float32"), writer.tensor("sure", [], "float32")
    writer.operator("ADD", [x, some], [sums], schema.AddOptionsT())
    writer.operator("ABS", [x], [sizes], schema.AbsOptionsT())
    writer.operator("DecoderOp", [sums, sizes], [poses, sure], custom=b"\x00")
    if behind:
        writer.operator("NEG", [x], [last], schema.NegOptionsT())
    outputs = {"poses": poses, "sure": sure}
    outputs |= {"last": last} if behind else {}
    return writer.finish({"x": x}, outputs | ({"sums": sums} if other_output else {}))


def built(folder: Path, content: bytes) -> BuildFolder:
    return api.compile(tflite.load(content), "U55-128", output=folder, name="written")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    return built(tmp_path_factory.mktemp("plain") / "build", decoder())


def test_what_the_decoder_is_computed_from_is_judged_and_the_verdict_says_that_it_has_no_oracle(
    plain: BuildFolder,
) -> None:
    verdict = api.verify(plain)
    assert (verdict.verdict, verdict.exit_status) == ("pass", 0)
    assert {output.name for output in verdict.outputs} == {
        "sums (in front of DecoderOp)",
        "sizes (in front of DecoderOp)",
    }
    assert verdict.evidence is not None
    (weak,) = verdict.evidence.weak
    assert weak.startswith("operator 2 DecoderOp has no oracle")
    assert "outputs poses, sure are not judged" in weak
    assert verdict.operator_check.operators == 2
    assert weak in verdict.operator_check.left_out
    assert "kept in samples.npz" in verdict.input_source


def test_such_a_pass_does_not_satisfy_who_requires_evidence(plain: BuildFolder) -> None:
    verdict = api.verify(plain, require_evidence=True)
    assert (verdict.verdict, verdict.exit_status) == ("fail", 1)
    assert "DecoderOp has no oracle" in verdict.reason


def test_a_difference_in_front_of_the_decoder_fails(tmp_path: Path) -> None:
    build = built(tmp_path / "build", decoder())
    build.compiled_model = built(tmp_path / "other", decoder(added=60)).compiled_model
    assert api.verify(build).verdict == "fail"


def test_outputs_that_the_decoder_does_not_compute_are_judged_under_their_own_name(tmp_path: Path) -> None:
    verdict = api.verify(built(tmp_path / "build", decoder(other_output=True)))
    assert {output.name for output in verdict.outputs} == {"sums", "sizes (in front of DecoderOp)"}


def test_compile_compares_the_operators_in_front_of_the_decoder(plain: BuildFolder) -> None:
    record = record_of(plain)
    assert record is not None
    assert record.check.operators == 2
    assert any("DecoderOp has no oracle" in sentence for sentence in record.check.left_out)


def test_a_vendors_file_with_such_a_decoder_runs_without_a_reference(plain: BuildFolder, tmp_path: Path) -> None:
    verdict = api.verify(build_of(plain.compiled, tmp_path))
    assert verdict.verdict == "no_reference"
    assert verdict.evidence is not None
    assert any("DecoderOp has no oracle" in sentence for sentence in verdict.evidence.weak)


def test_with_an_operator_behind_the_decoder_nothing_is_cut_and_the_reason_is_told(tmp_path: Path) -> None:
    build = built(tmp_path / "build", decoder(behind=True))
    assert judged_part(build).build is build
    with pytest.raises(BadInputError, match="DecoderOp"):
        api.verify(build)


def test_a_build_whose_operators_are_all_known_stays_as_it_is(tmp_path: Path) -> None:
    writer = GraphWriter()
    x, y = writer.tensor("x", [1, 16], "int8", 0.05), writer.tensor("y", [1, 16], "int8", 0.05)
    writer.operator("ABS", [x], [y], schema.AbsOptionsT())
    build = built(tmp_path / "build", writer.finish({"x": x}, {"y": y}))
    judged = judged_part(build)
    assert (judged.build, judged.without) == (build, ())
