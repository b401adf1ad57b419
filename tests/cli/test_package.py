"""The package of the command line is only a place: nothing in it hides a module of the same name."""

import types

import deploy.cli
import deploy.cli.main


def test_the_module_main_is_not_hidden_by_the_function_main() -> None:
    assert isinstance(deploy.cli.main, types.ModuleType)
