"""What is searched: found by name or in the user's file, and what is missing is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import BadInputError
from deploy.searching.finding import find
from deploy.searching.problem import Problem, Stage
from deploy.searching.space import Space, choices

FILE = """
from dataclasses import replace
import numpy as np
from deploy.searching.problem import Problem, Stage
from deploy.searching.space import choices

def problem(width: int = 8, seed: int = 1, kind: str = "plain"):
    def build(network):
        raise ValueError(f"cannot build {network}")
    first = Stage("width", choices({"width": [width, 2 * width]}))
    second = Stage("depth", lambda best: choices({"width": [best["width"]], "depth": [1, 2]}))
    return Problem([first, second], build, lambda model: seed, "none", np.zeros((1, 4, 4, 1)))

def needs(width):
    return problem(width)

def nothing():
    return {"stages": 1}

def twice():
    same = Stage("width", choices({"width": [1]}))
    return Problem([same, same], None, None, "", np.zeros(1))

def late():
    return replace(problem(), stages=[Stage("depth", lambda best: choices({"depth": [1 / 0]}))] * 1)

def broken():
    raise KeyError("width")
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """The user's file."""
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    return str(file)


def test_a_project_without_a_search_is_told_what_it_lacks_and_which_have_one() -> None:
    with pytest.raises(BadInputError, match="featherface-v1 cannot be searched") as caught:
        find("models:featherface-v1", (), 1)
    assert "its project.toml names no function for 'search'" in caught.value.message
    assert caught.value.hints[0] == "projects that can be: models:mobilenetv4"
    with pytest.raises(BadInputError, match="no model is called 'mobilenetv3'; did you mean"):
        find("models:mobilenetv3", (), 1)


def test_a_finished_model_is_no_search(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"")
    with pytest.raises(BadInputError, match="a Keras file cannot be searched") as caught:
        find(str(tmp_path / "model.keras"), (), 1)
    assert caught.value.hints == ("MODEL: models:NAME or FILE.py:function",)


@pytest.mark.tensorflow
def test_a_function_of_the_user_gets_its_options_and_the_seed(mine: str) -> None:
    found = find(f"{mine}:problem", ["width=16"], 7)
    assert found.options == {"width": 16, "kind": "plain"}
    assert found.problem.train(None) == 7
    first, second = found.problem.stages
    best = first.after(None).describe((1,))
    assert second.after(best).describe((0, 1)) == {"width": 32, "depth": 2}
    assert found.problem.columns(best) == {"width": "32"}


@pytest.mark.tensorflow
def test_another_content_of_the_file_is_another_version(mine: str) -> None:
    before = find(f"{mine}:problem", (), 1).versions
    Path(mine).write_text(FILE + "# more")
    assert set(before) == {"mine.py"} and find(f"{mine}:problem", (), 1).versions != before


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("function", "assignments", "message"),
    [
        ("problem", ["widht=3"], "mine.py:problem has no option 'widht'; did you mean 'width'"),
        ("problem", ["seed=3"], "--set seed=3: the seed of a search is --seed"),
        ("needs", [], "mine.py:needs: width has no default"),
        ("nothing", [], "mine.py:nothing: returned builtins.dict, expected a deploy.searching.problem.Problem"),
        ("twice", [], r"one stage or several of different names, not \['width', 'width'\]"),
        ("broken", [], "mine.py:broken: line 28: KeyError: 'width'"),
        ("gone", [], "there is no function gone"),
    ],
)
def test_what_the_users_function_lacks_is_named(
    function: str, assignments: list[str], message: str, mine: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        find(f"{mine}:{function}", assignments, 1)


@pytest.mark.tensorflow
def test_what_the_users_functions_raise_later_names_the_line_too(mine: str) -> None:
    found = find(f"{mine}:problem", (), 1)
    with pytest.raises(BadInputError, match=r"mine.py:problem: line 9: ValueError: cannot build \{'width': 8\}"):
        found.problem.build({"width": 8})
    (stage,) = find(f"{mine}:late", (), 1).problem.stages
    with pytest.raises(BadInputError, match="line 25: ZeroDivisionError"):
        stage.after({})


def test_the_first_stage_cannot_depend_on_an_earlier_one() -> None:
    stage = Stage("depth", lambda best: choices({"depth": [best["depth"]]}))
    with pytest.raises(BadInputError, match="stage depth is the first"):
        stage.after(None)
    assert isinstance(stage.after({"depth": 2}), Space)
    with pytest.raises(BadInputError, match="one stage or several"):
        Problem([], str, float, "", {})
