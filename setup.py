"""Which folders are packages: those below deploy/, and the data folders beside it as parts of it.

``deploy/models`` is a link to ``models``, so that type checkers and editors find the model projects too.
Everything else stands in pyproject.toml; a list there would have to name every new folder once more.
"""

from setuptools import find_packages, setup

BESIDE = ("firmware", "fvp", "templates")

setup(
    packages=[
        *find_packages(include=["deploy", "deploy.*"]),
        *(f"deploy.{name}" for name in find_packages(include=[p for top in BESIDE for p in (top, f"{top}.*")])),
    ]
)
