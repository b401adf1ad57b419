"""Scenes with faces, see :mod:`deploy.models.face_detection`."""

from deploy.models.face_detection.data import calibration_for, write

__all__ = ["calibration_for", "write"]
