"""The NPU's arithmetic in C: a program that is decoded is translated once and run without the interpreter.

The core (``*.c``) is an optional extension. Without it, and for whatever it does not cover, the NumPy of
:mod:`deploy.npu.execution` computes the same, operation by operation; it is also what says what is right.
"""
