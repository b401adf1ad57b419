"""Which folders are packages: those below deploy/, and the data folders beside it as parts of it.

The compiled core of the NPU model is an extension that may be missing. What a registry shows is README.md, whose
links lead into the repository whose address DEPLOY_REPOSITORY gives (wheels.yml sets it), or are words alone.

``deploy/models`` is a link to ``models``, so that type checkers and editors find the model projects too.
Everything else stands in pyproject.toml; a list there would have to name every new folder once more.
"""

import os
import re
import runpy
from pathlib import Path

from setuptools import Extension, find_packages, setup

BESIDE = ("firmware", "fvp", "templates")

CORE = Path("deploy", "npu", "core")

# The core says what it was compiled from. By its path: deploy cannot be imported before it is built.
SOURCES = runpy.run_path(str(CORE / "sources.py"))["digest"](CORE)

# Python's stable ABI of 3.11: one build serves all later ones.
native = Extension(
    "deploy.npu.core.native",
    sources=sorted(map(str, CORE.glob("*.c"))),
    depends=sorted(map(str, CORE.glob("*.h"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000"), ("CORE_SOURCES", f'"{SOURCES}"')],
    extra_compile_args=["-std=c11", "-O3"],
    py_limited_api=True,
    optional=True,  # without a compiler NumPy computes the same, slower
)

REPOSITORY = os.environ.get("DEPLOY_REPOSITORY", "").rstrip("/")
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https?://|#)([^)\s]+)\)")


def tag() -> str:
    """The tag of this version, which a release has."""
    said = Path("deploy", "__init__.py").read_text("utf-8")
    return "v" + re.search(r'^__version__ = "(.+)"$', said, re.MULTILINE)[1]


def described(readme: str) -> str:
    """README.md away from its checkout: relative links lead into the repository at the tag, or are words alone."""
    if not REPOSITORY:
        return LINK.sub(lambda link: "" if link[1] else link[2], readme)
    folder = {"": f"{REPOSITORY}/blob/{tag()}", "!": f"{REPOSITORY}/raw/{tag()}"}
    return LINK.sub(lambda link: f"{link[1]}[{link[2]}]({folder[link[1]]}/{link[3]})", readme)


def addresses() -> dict[str, str]:
    """What a registry links beside the description."""
    if not REPOSITORY:
        return {}
    return {
        "Source": REPOSITORY,
        "Documentation": f"{REPOSITORY}/blob/{tag()}/docs/index.md",
        "Changelog": f"{REPOSITORY}/blob/{tag()}/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }


setup(
    long_description=described(Path("README.md").read_text("utf-8")),
    long_description_content_type="text/markdown",
    project_urls=addresses(),
    ext_modules=[native],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    packages=[
        *find_packages(include=["deploy", "deploy.*"]),
        *(f"deploy.{name}" for name in find_packages(include=[p for top in BESIDE for p in (top, f"{top}.*")])),
    ],
)
