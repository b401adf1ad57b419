"""Names from model files are shown bounded and without characters that steer the text around them."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from deploy.reporting.data.names import NAME_LENGTH, one_word, short_name, shown


@given(st.text(max_size=400))
def test_a_shown_name_is_bounded_and_has_no_steering_characters(name: str) -> None:
    text = shown(name)
    assert len(text) <= NAME_LENGTH
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs") for c in text)


def test_a_long_name_keeps_both_ends() -> None:
    name = "begin" + "x" * 500 + "end"
    assert shown(name).startswith("begin")
    assert shown(name).endswith("end")


def test_of_joined_names_the_first_is_shown_without_the_models_own() -> None:
    assert short_name("net/block_1/conv;net/block_1/bn") == "block_1/conv"
    assert short_name("net/") == "net/"


def test_in_one_word_names_lose_the_model_what_was_fused_and_their_spaces() -> None:
    assert one_word("net/conv 1/add;net/conv_1/bias") == "conv_1/add"
    assert one_word("out") == "out"
