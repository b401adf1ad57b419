"""Which folders are packages: those below deploy/, and the data folders beside it as parts of it.

The compiled core of the NPU model is an extension that may be missing.

``deploy/models`` is a link to ``models``, so that type checkers and editors find the model projects too.
Everything else stands in pyproject.toml; a list there would have to name every new folder once more.
"""

from pathlib import Path

from setuptools import Extension, find_packages, setup

BESIDE = ("firmware", "fvp", "templates")

CORE = Path("deploy", "npu", "core")

# Python's stable ABI of 3.11: one build serves all later ones.
native = Extension(
    "deploy.npu.core.native",
    sources=sorted(map(str, CORE.glob("*.c"))),
    depends=sorted(map(str, CORE.glob("*.h"))),
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    extra_compile_args=["-std=c11", "-O3"],
    py_limited_api=True,
    optional=True,  # without a compiler NumPy computes the same, slower
)

setup(
    ext_modules=[native],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
    packages=[
        *find_packages(include=["deploy", "deploy.*"]),
        *(f"deploy.{name}" for name in find_packages(include=[p for top in BESIDE for p in (top, f"{top}.*")])),
    ],
)
