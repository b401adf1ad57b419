"""``--json`` in every verb: one document, by a published schema, whatever becomes of the call."""

import json
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import numpy as np
import pytest
from answers import HEAD, SCHEMAS, answered, found
from jsonschema import Draft202012Validator
from simulators.test_fvp_install import INSTALLER

from deploy import doctor
from deploy.cli.answers import COMPARISON, VERSIONS
from deploy.cli.json_document import Head
from deploy.cli.main import command_line, run

sys.path.insert(0, str(SCHEMAS.parent.parent / "hooks"))
from answer_schemas import ANSWERS, answer_schemas

NETWORK = "multihead-mobilenetv3"
CALLS: Mapping[str, str] = {
    "compile": "compile tiny.tflite --npu U55-128 -o c",
    "optimize": "optimize tiny.tflite --npu U55-128 --count 2",
    "report": "report b",
    COMPARISON: "report b b --fail-on cycles+0",
    "firmware": "firmware b",
    "verify": "verify b",
    "check": "check b --limit cpu_operators<=0",
    "sweep": "sweep tiny.tflite --npu U55-128 --csv s.csv",
    "evaluate": "evaluate b --data set.npz",
    "fvp-link": "fvp link arm",
    "fvp-install": "fvp install FVP_Corstone_SSE-300.sh --into arm --accept-arm-licence",
    "models-list": "models list",
    "models-card": f"models card {NETWORK}",
    "doctor": "doctor",
    "init": "init",
    "status": "status",
}
"""Name of a document -> a call that ends well."""

ELSEWHERE = {
    "quantize": "cli/test_quantize.py",
    "run-fvp": "cli/test_run_fvp.py",
    "run-board": "targets/test_locating_on_corstone.py",
    "search": "cli/test_search.py",
    "models-build": "test_zoo.py",
    "models-data": "test_zoo.py",
    "models-train": "zoo/test_zoo_training.py",
}
"""Documents of calls that need TensorFlow, a data set or a machine -> the file below tests/ that looks at them."""


def verbs() -> Iterator[tuple[str, click.Command]]:
    """Every verb, as it is typed."""

    def below(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(command, click.Group):
            yield name, command
            return
        for word, each in command.commands.items():
            yield from below(each, f"{name} {word}".strip())

    return below(command_line(), "")


VERBS = dict(verbs())


@pytest.fixture
def folder(built: Path, tiny_tflite: Path, in_folder: Path) -> Path:
    """A project: a model, its build, labelled data and an installer of an FVP."""
    shutil.copy(tiny_tflite, in_folder / "tiny.tflite")
    shutil.copytree(built, in_folder / "b")
    (in_folder / "build").mkdir()
    (in_folder / "build/.last-build.json").write_text('{"build": "b"}')
    images = np.random.default_rng(5).random((4, 16, 16, 1), dtype=np.float32)
    np.savez(in_folder / "set.npz", image=images, labels_kind=np.arange(4))
    (in_folder / "FVP_Corstone_SSE-300.sh").write_text(INSTALLER)
    return in_folder


def test_every_verb_has_the_option_and_a_document_of_its_own() -> None:
    for name, verb in VERBS.items():
        (json_option,) = (each for each in verb.params if "--json" in each.opts)
        assert json_option.make_metavar(click.Context(verb)) == "FILE", name
    assert set(VERSIONS) == {name.replace(" ", "-") for name in VERBS} | {COMPARISON}
    assert set(ANSWERS) == set(VERSIONS) == {*CALLS, *ELSEWHERE}
    for name, file in ELSEWHERE.items():
        text = (SCHEMAS.parents[2] / "tests" / file).read_text()
        assert "answered(" in text, f"{file} does not look at the document of {name}"


@pytest.mark.parametrize("name", CALLS)
def test_what_a_verb_found_is_alone_on_standard_output_and_keeps_to_its_schema(
    name: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*shlex.split(CALLS[name]), "--json", "-"]) == 0
    printed = capfd.readouterr()
    document = answered(printed.out)
    assert document["schema"] == f"ethosu-deploy/{name}/{VERSIONS[name]}"
    assert (document["exit_status"], document["error"]) == (0, None)
    assert found(document) and printed.err
    kind = ANSWERS[name]
    own = {key: value for key, value in document.items() if key in kind.model_fields}
    assert json.loads(kind.model_validate_json(printed.out).model_dump_json()) == own
    for path in document["written"]:
        assert Path(path).exists(), path


@pytest.mark.parametrize("verb", VERBS)
def test_a_call_that_is_not_understood_says_so_in_its_document(
    verb: str, in_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run([*verb.split(), "--no-such-option", "--json", "e.json"]) == 2
    document = answered((in_folder / "e.json").read_text())
    assert (document["exit_status"], document["error"]["kind"]) == (2, "bad_input")
    assert document["error"]["message"] in " ".join(capfd.readouterr().err.split()).replace(" │ │ ", " ")


@pytest.mark.parametrize(
    ("raised", "status", "kind"), [(KeyboardInterrupt(), 130, "interrupted"), (ZeroDivisionError(), 4, "defect")]
)
def test_a_file_says_unfinished_until_the_call_has_ended_and_then_how(
    raised: BaseException, status: int, kind: str, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = in_folder / "d.json"
    meanwhile = []

    def examine() -> list[doctor.Finding]:
        meanwhile.append(answered(file.read_text()))
        raise raised

    monkeypatch.setattr(doctor, "examine", examine)
    assert run(["doctor", "--json", "d.json"]) == status
    assert meanwhile[0]["error"]["kind"] == "unfinished"
    document = answered(file.read_text())
    assert (document["exit_status"], document["error"]["kind"]) == (status, kind)


def test_an_error_carries_its_hints_and_what_is_missing_its_status(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["compile", "tiny.tfl", "--npu", "U55-128", "--json", "-"]) == 2
    error = answered(capfd.readouterr().out)["error"]
    assert any("tiny.tflite" in hint for hint in error["hints"])
    monkeypatch.setenv("PATH", "")
    assert run(["firmware", "b", "--build", "--json", "-"]) == 3
    assert answered(capfd.readouterr().out)["error"]["kind"] == "not_installed"


def test_notes_stand_in_the_document_whether_they_are_printed_or_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from deploy.reporting.charts import library

    monkeypatch.setattr(library, "PACKAGE", "no-such-package-here")
    for more, times in (([], 1), (["-q"], 0)):
        assert run(["verify", "b", "--json", "v.json", *more]) == 0
        assert capfd.readouterr().err.count("note: no HTML report") == times
        (note,) = answered((folder / "v.json").read_text())["notes"]
        assert note.startswith("no HTML report")


def test_training_keeps_what_it_said(
    in_folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def train(name: str, weights: Path, *_: object, log: Callable[[str], None], **__: object) -> None:
        log("epoch 1/1: loss 0.5")
        weights.touch()

    monkeypatch.setattr("deploy.zoo.training.train", train)
    assert run(["models", "train", NETWORK, "-o", "n.weights.h5", "--json", "-"]) == 0
    document = answered(capfd.readouterr().out)
    assert (document["log"], document["written"]) == (["epoch 1/1: loss 0.5"], ["n.weights.h5"])


@pytest.mark.parametrize("words", ["report b --json b/compile.json", "verify b --json set.npz --data set.npz"])
def test_what_is_read_is_not_written_over(words: str, folder: Path) -> None:
    before = (folder / shlex.split(words)[3]).read_bytes()
    assert run(words.split()) == 2
    assert (folder / shlex.split(words)[3]).read_bytes() == before


def test_an_option_without_a_place_means_what_it_did(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    printed = capfd.readouterr()
    assert isinstance(json.loads(printed.out), list)
    assert "`--json -`" in printed.err
    assert run(["models", "list", "--json"]) == 0
    assert answered(capfd.readouterr().out)["models"]


def test_the_published_schemas_are_what_the_types_say() -> None:
    published = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert published == answer_schemas(), "make schemas"


@pytest.mark.parametrize("name", VERSIONS)
def test_a_schema_is_one_that_readers_can_rely_on(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}-{VERSIONS[name]}.json").read_text())
    Draft202012Validator.check_schema(schema)
    assert '"additionalProperties": false' not in json.dumps(schema), "a further key would break it"
    own = ANSWERS[name].model_fields
    assert set(own) & set(HEAD) <= {"exit_status", "notes"}, "a key with two meanings"
    if "schema_version" in own:
        assert own["schema_version"].default == VERSIONS[name]


def test_all_documents_begin_alike() -> None:
    assert tuple(Head.model_json_schema(mode="serialization")["properties"]) == HEAD


def test_the_page_lists_every_document_with_its_schema() -> None:
    page = (SCHEMAS.parent / "json.md").read_text()
    for name, version in VERSIONS.items():
        assert f"(schemas/{name}-{version}.json)" in page, name
