import subprocess
import sys

import pytest

from deploy.npu import Architecture, UnsupportedError, architecture_of

# Config words that Vela 5.2.0 writes into its payloads.
CONFIG_WORDS = {
    ("U55", 32): 0x1005,
    ("U55", 64): 0x1006,
    ("U55", 128): 0x1807,
    ("U55", 256): 0x3008,
    ("U65", 256): 0x10003008,
    ("U65", 512): 0x10006009,
    ("U85", 128): 0x20000117,
    ("U85", 256): 0x20000118,
    ("U85", 512): 0x20001119,
    ("U85", 1024): 0x2000251A,
    ("U85", 2048): 0x2000261B,
}


@pytest.mark.parametrize(("member", "word"), CONFIG_WORDS.items())
def test_config_words_are_the_ones_that_vela_writes(member: tuple[str, int], word: int) -> None:
    assert Architecture(*member).config_word == word
    assert architecture_of(word) == Architecture(*member)


def test_lookup_tables_fill_the_last_two_kilobytes_of_a_cores_shram() -> None:
    assert Architecture("U55", 128).design.table_address == 22 * 1024
    assert Architecture("U65", 512).design.table_address == 46 * 1024


def test_the_tables_of_u85_have_a_memory_of_their_own() -> None:
    assert Architecture("U85", 256).design.table_address == 0


@pytest.mark.parametrize("member", [("U85", 64), ("U55", 512), ("U65", 128)])
def test_other_members_are_refused_by_name(member: tuple[str, int]) -> None:
    with pytest.raises(UnsupportedError, match=f"{member[0]}-{member[1]}"):
        Architecture(*member)


def test_an_unknown_config_word_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="0x20000007"):
        architecture_of(0x20000007)


@pytest.mark.parametrize("module", ["u55", "u85"])
def test_what_decompresses_weights_in_numpy_is_not_imported_before_it_does(module: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys, deploy.npu.{module}; print('deploy.npu.weights.mlw' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert said.stdout.strip() == "False"
