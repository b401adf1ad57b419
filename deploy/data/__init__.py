"""Data that a user gives, for every verb alike: read, held to the model's inputs, quantized, with its labels."""

FORMS = ".npz, .npy, a folder of images or of a folder per class, or FILE.py:function"
"""What data may be, in words."""
