"""Accuracy over a labelled set: the float model, the quantized reference and the target side by side."""
