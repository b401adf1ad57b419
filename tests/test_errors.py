"""Errors show their hints where nobody prints them, and no name of what is gone when they are read."""

import pickle

import pytest

from deploy.errors import BadInputError, TargetError, public

KEY = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"/scratch/deploy-vela-{KEY}/net.tflite: damaged", "net.tflite: damaged"),
        (f"cannot open '/var/folders/x y/deploy-run-{KEY}/app.elf'", "cannot open '/var/folders/x app.elf'"),
        (f"--data=/scratch/.deploy-run-{KEY}/model.bin@0x90000000", "--data=model.bin@0x90000000"),
        (f"in /scratch/deploy-zoo-{KEY}", "in "),
        (f"out/.net.tflite.{KEY}: no room", "out/net.tflite: no room"),
        (f"sha256 {KEY * 4}", f"sha256 {KEY * 4}"),
        ("/home/me/deploy-vela-1/net.tflite", "/home/me/deploy-vela-1/net.tflite"),
    ],
)
def test_private_folders_and_unfinished_files_are_not_named(text: str, shown: str) -> None:
    assert public(text) == shown


def test_message_hints_and_log_are_free_of_them() -> None:
    path = f"/scratch/deploy-run-{KEY}/a"
    error = TargetError(path, hints=[path], log=[path])
    assert (error.message, error.hints, error.log, str(error)) == ("a", ("a",), ("a",), "a")


def test_an_error_that_nobody_prints_shows_its_hints() -> None:
    error = BadInputError("wrong", hints=["this", "or that"])
    assert error.__notes__ == ["try: this", "try: or that"]
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (again.message, again.hints, again.__notes__) == ("wrong", ("this", "or that"), error.__notes__)
