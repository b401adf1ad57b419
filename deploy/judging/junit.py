"""A verdict as JUnit XML, which CI systems show as test results.

One test for the answer, one for each output, one each for the NPU model and the operators, one for each limit,
one for the verdict.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from deploy.judging.comparison import OutputComparison
from deploy.judging.verdict import Verdict

# What XML 1.0 cannot hold at all, not even escaped; a target's last lines may hold anything.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(verdict: Verdict, command: str) -> str:
    """The document.

    The test ``complete answer`` is an error where there was none (exit status 2, 3 or 4); the test of an
    output is a failure where it is beyond the tolerance, that of the NPU model where a target differs from it,
    that of the operators where one fails, that of a limit where it is broken. Figures and versions are properties.

    Args:
        verdict: of a run or a verification.
        command: ``run-fvp`` or ``verify``; part of the suite's name.
    """
    npu = verdict.platform.npu if verdict.platform else "unknown NPU"
    suite = ElementTree.Element("testsuite", name=_text(f"deploy {command} {verdict.build}"))
    _properties(suite, verdict)
    classname = _text(f"deploy.{command}.{npu}")
    answer = ElementTree.SubElement(suite, "testcase", classname=classname, name="complete answer")
    if verdict.verdict == "error":
        _problem(answer, "error", verdict.reason, "\n".join(verdict.log))
    for output in verdict.outputs:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=_text(f"output {output.name}"))
        said = _described(output, verdict.reference)
        if output.within(verdict.tolerance):
            ElementTree.SubElement(case, "system-out").text = _text(said)
        else:
            _problem(case, "failure", said, "\n".join((verdict.reason, *verdict.explanations)))
    _compared(suite, classname, verdict)
    for outcome in verdict.limits:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name=_text(f"limit {outcome.limit}"))
        if outcome.holds:
            ElementTree.SubElement(case, "system-out").text = _text(outcome.sentence)
        else:
            _problem(case, "failure", outcome.sentence, verdict.reason)
    whole = ElementTree.SubElement(suite, "testcase", classname=classname, name="verdict")
    if verdict.verdict == "fail":
        _problem(whole, "failure", verdict.reason, "\n".join(verdict.explanations))
    elif verdict.verdict == "error":
        ElementTree.SubElement(whole, "skipped", message="there was no complete answer to judge")
    elif verdict.verdict == "no_reference":
        ElementTree.SubElement(whole, "skipped", message=_text(f"{verdict.headline}: {verdict.reason}"))
    else:
        ElementTree.SubElement(whole, "system-out").text = _text(f"{verdict.headline} - {verdict.reason}")
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for name, count in counts.items():
        suite.set(name, str(count))
    suite.set("time", f"{_seconds(verdict):.3f}")
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _compared(suite: ElementTree.Element, classname: str, verdict: Verdict) -> None:
    """A test for the comparison with the NPU model, and one for the operators; skipped where there was none."""
    comparison, check = verdict.target_comparison, verdict.operator_check
    if comparison is not None:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name="NPU model")
        said = "\n".join(comparison.sentences)
        if comparison.left_out:
            ElementTree.SubElement(case, "skipped", message=_text(said))
        elif comparison.differing and not verdict.accepted:
            _problem(case, "failure", said, verdict.reason)
        else:
            ElementTree.SubElement(case, "system-out").text = _text("\n".join((said, *verdict.accepted)))
    if check.sentences:
        case = ElementTree.SubElement(suite, "testcase", classname=classname, name="operators")
        said = "\n".join(check.sentences)
        if check.unexplained:
            _problem(case, "failure", check.sentences[0], "\n".join((verdict.reason, *verdict.explanations)))
        elif check.source == "none":
            ElementTree.SubElement(case, "skipped", message=_text(said))
        else:
            ElementTree.SubElement(case, "system-out").text = _text(said)


def _properties(suite: ElementTree.Element, verdict: Verdict) -> None:
    pairs = {
        "verdict": verdict.verdict,
        "exit_status": str(verdict.exit_status),
        "inputs": f"{verdict.inputs} of {verdict.inputs_requested}",
        "input_sha256": verdict.input_sha256,
        "reference": verdict.reference,
        "tolerance": f"{verdict.tolerance:g} LSB",
        "model_sha256": verdict.model_sha256,
    }
    if verdict.evidence:
        evidence = verdict.evidence
        pairs["input_source"] = evidence.input_source
        pairs["evidence"] = "; ".join(evidence.weak) or "strong"
        for seen in evidence.outputs:
            pairs[f"evidence.{seen.name}"] = f"{seen.distinct} distinct answers to {seen.inputs} inputs"
        if evidence.operators is not None:
            pairs["evidence.operators"] = f"{evidence.operators_varied} of {evidence.operators} varied"
    if verdict.platform:
        pairs["platform"] = f"{verdict.platform.kind}: {verdict.platform.version}"
    if verdict.firmware:
        pairs["firmware"] = f"{verdict.firmware.kind} {verdict.firmware.sha256}"
    for figure in verdict.figures:
        pairs[f"figure.{figure.name}"] = f"{figure.value:g} {figure.unit} ({figure.label})"
    for name, version in verdict.versions.items():
        pairs[f"version.{name}"] = version
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in pairs.items():
        ElementTree.SubElement(properties, "property", name=_text(name), value=_text(value))


def _described(output: OutputComparison, reference: str) -> str:
    return (
        f"{output.mismatches} of {output.elements} elements differ from {reference}, at most by {output.largest}"
    )


def _problem(case: ElementTree.Element, kind: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, kind, message=_text(message), type=kind).text = _text(text)


def _seconds(verdict: Verdict) -> float:
    return next((figure.value for figure in verdict.figures if figure.name == "wall_time"), 0.0)


def _text(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
