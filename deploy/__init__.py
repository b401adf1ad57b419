"""Takes a trained model to an Arm Ethos-U microNPU and proves that it computes there as before."""

__version__ = "0.1.0"
