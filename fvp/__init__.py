"""Arm's FVPs: Dockerfile and CI examples (package data)."""
