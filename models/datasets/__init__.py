"""Data sets that the model projects are trained, calibrated and measured with."""
