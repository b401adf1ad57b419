"""The pytest plugin, from inside a test suite that somebody else wrote (run in a process of its own)."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.early, pytest.mark.system]
pytest_plugins = ["pytester"]


def outcome(pytester: pytest.Pytester, test: str, *words: str) -> pytest.RunResult:
    pytester.makepyfile(test)
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *words, timeout=120)


def test_a_users_test_asserts_on_what_the_target_answered(pytester: pytest.Pytester, tiny_tflite: Path) -> None:
    result = outcome(
        pytester,
        f"""
        import numpy as np
        import pytest

        pytestmark = pytest.mark.deploy({str(tiny_tflite)!r}, npu="U55-64", fvp="open")

        def test_outputs_by_name(on_target):
            images = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8)
            run = on_target.run({{"image": images}})
            assert set(run.outputs) == {{"garment", "kind"}}
            assert run.outputs["kind"].shape == (2, 1, 4) and run.outputs["kind"].dtype == np.uint8
            assert (run.verdict.verdict, run.verdict.inputs) == ("pass", 2)
            one = on_target.run(images[1:])
            assert np.array_equal(one.outputs["kind"][0], run.outputs["kind"][1])

        def test_the_build_is_shared(on_target):
            assert on_target.build.document.npu == "U55-64"
            assert on_target.run(count=1).verdict.platform.kind == "open"
        """,
    )
    result.assert_outcomes(passed=2)
    assert not list(pytester.path.glob("build"))


@pytest.mark.tensorflow
def test_a_float_model_is_quantized_first(
    request: pytest.FixtureRequest, tiny_keras_model: Path, tiny_samples: Path
) -> None:
    # This suite has the plugin, too, and TensorFlow imported.
    words = {"calibration": str(tiny_samples), "io": "int8", "fvp": "open"}
    request.node.add_marker(pytest.mark.deploy(str(tiny_keras_model), **words))
    assert request.getfixturevalue("on_target").run().outputs["kind"].dtype == "int8"


def test_a_float_model_without_data_is_one_clear_error(pytester: pytest.Pytester, tiny_keras_model: Path) -> None:
    test = (
        f"import pytest\n@pytest.mark.deploy({str(tiny_keras_model)!r})\ndef test_it(on_target): on_target.run()\n"
    )
    result = outcome(pytester, test)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*a float model needs the marker's option calibration=*"])


def test_a_target_that_gives_no_answer_fails_the_users_test_with_its_reason(
    pytester: pytest.Pytester, tiny_tflite: Path
) -> None:
    fvp = pytester.path / "FVP_Corstone_SSE-300_Ethos-U55"
    fvp.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Fast Models [11.27.42 (Dec  9 2024)]"\nexit 0\n')
    fvp.chmod(0o755)
    result = outcome(
        pytester,
        f"""
        import pytest

        @pytest.mark.deploy({str(tiny_tflite)!r}, fvp={str(fvp)!r})
        def test_it(on_target):
            on_target.run()
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TargetError: input 0: the firmware never sent its end of transmission*"])


def test_a_marker_that_cannot_be_used_is_one_clear_error(pytester: pytest.Pytester) -> None:
    markers = {
        "": "*needs @pytest.mark.deploy*",
        '@pytest.mark.deploy("none.tflite")': "*deploy: none.tflite*",
        '@pytest.mark.deploy("none.tflite", npu="U55-99")': "*U55-99: no such NPU configuration*",
        '@pytest.mark.deploy("none.tflite", npus="U55-64")': "*unknown option npus; known: npu*",
    }
    tests = [f"{marker}\ndef test_{number}(on_target): pass\n" for number, marker in enumerate(markers)]
    result = outcome(pytester, "import pytest\n" + "".join(tests))
    result.assert_outcomes(errors=len(markers))
    for number, message in enumerate(markers.values()):
        result.stdout.fnmatch_lines([f"*ERROR at setup of test_{number}*", message])


def test_the_marker_is_registered_and_nothing_heavy_is_imported_before_a_test_asks(
    pytester: pytest.Pytester,
) -> None:
    result = outcome(
        pytester,
        """
        import sys

        def test_it():
            assert "deploy.pytest_plugin" in sys.modules
            heavy = {"numpy", "tensorflow", "pydantic", "ethosu", "ai_edge_litert"} & set(sys.modules)
            assert not heavy
        """,
        "--strict-markers",
        "-p",
        "no:hypothesispytest",
    )
    result.assert_outcomes(passed=1)
    shown = subprocess.run(
        [sys.executable, "-m", "pytest", "--markers"],
        capture_output=True,
        text=True,
        check=True,
        cwd=pytester.path,
    )
    assert "@pytest.mark.deploy(model, **options)" in shown.stdout


def test_hints_are_kept_when_a_run_fails(pytester: pytest.Pytester, tiny_tflite: Path) -> None:
    result = outcome(
        pytester,
        f"""
        import pytest

        @pytest.mark.deploy({str(tiny_tflite)!r}, npu="ethos-u55-128", fvp="no-such-simulator")
        def test_it(on_target):
            on_target.run()

        @pytest.mark.deploy({str(tiny_tflite)!r}, npu="U55-512")
        def test_the_compilation(on_target):
            pass
        """,
    )
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*no such simulator*", "*try: `--fvp open` runs the open machine*"])
    result.stdout.fnmatch_lines(["*--npu U55-512: no such NPU*", "*try: Ethos-U55 comes as U55-32*"])
