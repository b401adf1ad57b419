"""Arm's FVPs as data: parameters per board and release, Dockerfile, CI examples (package data)."""
