"""Jinja templates and CMake toolchain files of firmware projects (package data)."""
