"""The summary in Markdown and the annotations: whatever a model calls its outputs, they stay what they are."""

import pytest
from judging.test_junit import verdict

from deploy.judging.comparison import OutputComparison
from deploy.judging.limit_outcome import LimitOutcome
from deploy.reporting.text.annotations import annotation, annotations_of
from deploy.reporting.text.markdown import MARK, escaped, summary

BROKEN = LimitOutcome(
    limit="sram<=1K",
    figure="sram_peak",
    value=2048,
    bound=1024,
    unit="bytes",
    label="estimate",
    holds=False,
    sentence="sram<=1K: SRAM peak is 2,048 bytes (estimate), the limit is at most 1,024 bytes",
)


def test_the_summary_holds_verdict_limits_outputs_and_figures() -> None:
    text = summary(verdict(limits=(BROKEN, BROKEN.model_copy(update={"holds": True}))), "the end")
    assert text.startswith(f"{MARK}\n\n## deploy check: PASS\n\nbuild/m on U55-128: all 12 output elements")
    assert "| sram&lt;=1K | 2,048 bytes | BROKEN |\n| sram&lt;=1K | 2,048 bytes | holds |" in text
    assert "| kind | 12 | 0 | 0 |" in text
    assert "| wall time | 1.25 s | measured |" in text
    assert text.endswith("\n\nthe end\n")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", r"a\|b"),
        ("![x](https://example.org/y)", r"\!\[x\]\(https&#58;//example.org/y\)"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("@someone", "&#64;someone"),
        ("a\n# b\x1b[31m", r"a \# b?\[31m"),
        ("`rm`", r"\`rm\`"),
        ("a&lt;b", "a&amp;lt;b"),
        ("größer", "größer"),
    ],
)
def test_a_name_means_nothing_but_itself(name: str, shown: str) -> None:
    assert escaped(name) == shown
    output = OutputComparison(name=name, elements=12, mismatches=0, max_lsb=0.0)
    assert f"\n| {shown} | 12 | 0 | 0 |\n" in summary(verdict(outputs=(output,)))


def test_an_error_has_a_summary_too() -> None:
    text = summary(
        verdict(verdict="error", exit_status=3, reason="no Vela", outputs=(), figures=(), platform=None)
    )
    assert text == f"{MARK}\n\n## deploy check: ERROR\n\nbuild/m: no Vela\n"


def test_an_annotation_stays_one_line_and_one_command() -> None:
    line = annotation("error", "50% off\r\n::warning::x", "a: b, c")
    assert line == "::error title=a%3A b%2C c::50%25 off%0D%0A::warning::x"


def test_a_pass_has_no_annotation_and_every_fault_has_one() -> None:
    assert annotations_of(verdict()) == []
    failed = verdict(verdict="fail", exit_status=1, reason="beyond", explanations=("why",), limits=(BROKEN,))
    assert annotations_of(failed) == [
        "::error title=deploy check::beyond%0Awhy",
        f"::error title=deploy check%3A limit::{BROKEN.sentence}",
    ]
