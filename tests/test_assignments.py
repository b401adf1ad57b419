"""--set KEY=VALUE becomes keyword arguments of the right type, or is refused by name."""

import re
from typing import Any

import pytest

from deploy.assignments import assignments_of, keywords_of, parse
from deploy.errors import BadInputError


def net(
    width: int = 8, rate=0.5, *, size: int, wide: bool = False, name: str = "a", note=None, **more: Any
) -> None:
    """Take parameters of every kind."""


def test_values_take_the_type_of_the_default_or_of_the_annotation() -> None:
    words = ["width=12", "rate=1", "size=96", "wide=yes", "name=7", "note=7"]
    found = keywords_of(net, words, "net")
    assert found == {"width": 12, "rate": 1.0, "size": 96, "wide": True, "name": "7", "note": "7"}
    assert type(found["rate"]) is float


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("sise=96", "net has no option 'sise'; did you mean 'size'?"),
        ("more=1", "net has no option 'more'"),
        ("size=big", "--set size=big: not a usable value"),
        ("size", "--set size: must be KEY=VALUE"),
    ],
)
def test_what_a_function_does_not_take_is_refused_by_name(assignment: str, message: str) -> None:
    with pytest.raises(BadInputError, match=re.escape(message)):
        keywords_of(net, [assignment], "net")


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(BadInputError, match="size stands twice"):
        parse(["size=1", "size=2"], {"size": 3}, "x")


def test_a_function_without_parameters_says_so() -> None:
    with pytest.raises(BadInputError, match="has no option 'size'") as caught:
        keywords_of(lambda: None, ["size=1"], "net.py:build")
    assert caught.value.hints == ("it has no options",)


def test_values_are_written_as_they_are_read() -> None:
    values = {"alpha": 0.5, "heads": {"a": 2, "b": 3}, "wide": True, "size": 96, "levels": (1, 2)}
    defaults = {"alpha": 0.0, "heads": {"x": 1}, "wide": False, "size": 0, "levels": (0,)}
    assert parse(assignments_of(values), defaults, "x") == values
