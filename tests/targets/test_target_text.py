"""What a target says is quoted in errors: bounded, and without anything that steers a terminal."""

from deploy.targets.target_text import last_lines, shown


def test_control_characters_from_the_target_never_reach_the_terminal() -> None:
    assert last_lines("\x1b]0;owned\x07 hello\n" + "x" * 500)[0] == ".]0;owned. hello"
    assert len(last_lines("x" * 500)[0]) == 200


def test_a_piece_of_text_is_one_line_and_bounded() -> None:
    assert shown("a\nb\u2028c\x00") == "a.b.c."
    assert len(shown("x" * 500)) == 400
    assert shown("abc", 2) == "ab"


def test_empty_lines_ends_of_transmission_and_the_profile_say_nothing() -> None:
    assert last_lines("one\n\n \x04\n<metrics>W10=</metrics>\ntwo\n\x04") == ("one", "two")
    assert last_lines("\n".join("abcdef"), 2) == ("e", "f")
