"""Scenes with faces, see :mod:`deploy.models.datasets.face_data`."""

from deploy.models.datasets.face_data import calibration_for, write

__all__ = ["calibration_for", "write"]
