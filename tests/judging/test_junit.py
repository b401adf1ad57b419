"""The verdict as JUnit XML: what CI systems count."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from deploy.build_folder import Figure
from deploy.cli.main import run
from deploy.judging.comparison import OutputComparison
from deploy.judging.junit import junit_xml
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.origin import Platform
from deploy.judging.target_comparison import OutputOfTarget, TargetComparison
from deploy.judging.verdict import Verdict


def verdict(**changes: object) -> Verdict:
    values: dict[str, object] = {
        "verdict": "pass",
        "exit_status": 0,
        "reason": "all 12 output elements equal the reference",
        "inputs": 1,
        "reference": "LiteRT BUILTIN_REF",
        "tolerance": 1.0,
        "build": "build/m",
        "platform": Platform(kind="open", executable="x", version="v", npu="U55-128"),
        "firmware": None,
        "outputs": (OutputComparison(name="kind", elements=12, mismatches=0, max_lsb=0.0),),
        "figures": (Figure(name="wall_time", value=1.25, unit="s", label="measured"),),
    }
    return Verdict(**{**values, **changes})  # type: ignore[arg-type]


def suite(document: Verdict) -> ElementTree.Element:
    root = ElementTree.fromstring(junit_xml(document, "run-fvp"))  # noqa: S314 - our own text
    assert root.tag == "testsuites"
    return root[0]


def counts(element: ElementTree.Element) -> tuple[str | None, ...]:
    return tuple(element.get(name) for name in ("tests", "failures", "errors", "skipped"))


def test_a_pass_has_a_test_for_the_answer_each_output_and_the_verdict() -> None:
    element = suite(verdict())
    assert counts(element) == ("3", "0", "0", "0")
    assert [case.get("name") for case in element.findall("testcase")] == [
        "complete answer",
        "output kind",
        "verdict",
    ]
    assert element.get("time") == "1.250"


def test_an_output_beyond_the_tolerance_is_a_failure_with_its_numbers() -> None:
    bad = OutputComparison(name="kind", elements=12, mismatches=3, max_lsb=7.0)
    element = suite(verdict(verdict="fail", exit_status=1, reason="beyond the tolerance", outputs=(bad,)))
    assert counts(element) == ("3", "2", "0", "0")
    message = element.find("testcase[@name='output kind']/failure").get("message")  # type: ignore[union-attr]
    assert message == "3 of 12 elements differ from LiteRT BUILTIN_REF, at most by 7 LSB"


def test_no_complete_answer_is_an_error_and_never_green() -> None:
    element = suite(verdict(verdict="error", exit_status=4, reason="no EOT", outputs=(), log=("last line",)))
    assert counts(element) == ("2", "0", "1", "1")
    problem = element.find("testcase[@name='complete answer']/error")
    assert problem is not None
    assert (problem.get("message"), problem.text) == ("no EOT", "last line")


@pytest.mark.parametrize("text", ["\x00\x04\x1b[31m", "]]> & <tag> \"'", "\ud800 \ufffe", "größer"])
def test_whatever_a_target_says_the_document_stays_xml(text: str) -> None:
    element = suite(verdict(verdict="error", exit_status=4, reason=text, outputs=(), log=(text,)))
    assert counts(element) == ("2", "0", "1", "1")


@pytest.mark.system
def test_run_fvp_and_verify_write_it_beside_the_json(built: Path, in_folder: Path) -> None:
    # The answer, two outputs, the operators, the verdict; and of a target whether it equals the NPU model.
    for verb, cases in ((["run-fvp", "--fvp", "open"], "6"), (["verify"], "5")):
        assert run([*verb, str(built), "--count", "1", "--junit", "v.xml", "--json", "v.json", "-q"]) == 0
        root = ElementTree.parse(in_folder / "v.xml").getroot()  # noqa: S314
        assert counts(root[0]) == (cases, "0", "0", "0")
        assert root[0].find("properties/property[@name='version.ethos-u-vela']") is not None


@pytest.mark.system
def test_a_run_without_an_answer_writes_it_too(built: Path, in_folder: Path) -> None:
    assert run(["run-fvp", str(built), "--fvp", "/nonexistent", "--junit", "v.xml"]) == 3
    assert counts(ElementTree.parse(in_folder / "v.xml").getroot()[0]) == ("2", "0", "1", "1")  # noqa: S314


def test_a_place_that_cannot_be_written_is_refused_before_the_run(
    built: Path, in_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (in_folder / "folder.xml").mkdir()
    assert run(["verify", str(built), "--junit", "folder.xml"]) == 2
    assert "folder.xml: cannot be written: it is a folder" in capsys.readouterr().err


def test_the_npu_model_and_the_operators_have_a_test_each() -> None:
    agreeing = OutputOfTarget(name="kind", elements=12, mismatches=0, max_lsb=0, agrees=True)
    checked = OperatorCheck(inputs=4, operators=9, source="this run")
    good = suite(verdict(target_comparison=TargetComparison(outputs=(agreeing,)), operator_check=checked))
    assert counts(good) == ("5", "0", "0", "0")
    differing = agreeing.model_copy(update={"mismatches": 2, "max_lsb": 1.0, "agrees": False})
    wrong = checked.model_copy(update={"unexplained": 1})
    reason = "one of the two is wrong"
    bad = suite(
        verdict(
            verdict="fail",
            exit_status=1,
            reason=reason,
            target_comparison=TargetComparison(outputs=(differing,)),
            operator_check=wrong,
        )
    )
    assert counts(bad) == ("5", "3", "0", "0")
    for name in ("NPU model", "operators"):
        failure = bad.find(f"testcase[@name='{name}']/failure")
        assert failure is not None and failure.text == reason


def test_what_was_not_compared_is_skipped_and_what_was_accepted_is_said() -> None:
    element = suite(
        verdict(
            target_comparison=TargetComparison(left_out="no functional model"),
            operator_check=OperatorCheck(left_out=("all operators: no functional model",)),
        )
    )
    assert counts(element) == ("5", "0", "0", "2")
    differing = OutputOfTarget(name="kind", elements=12, mismatches=2, max_lsb=1.0, agrees=False)
    accepted = "the target differs from the NPU model"
    passed = suite(verdict(target_comparison=TargetComparison(outputs=(differing,)), accepted=(accepted,)))
    assert counts(passed) == ("4", "0", "0", "0")
    said = passed.find("testcase[@name='NPU model']/system-out")
    assert said is not None and said.text is not None and accepted in said.text
