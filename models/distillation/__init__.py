"""Distillation: a small network learns from a large one, on images that are augmented in several ways at once."""
