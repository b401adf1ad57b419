"""What the answers are worth: inputs, reference kernels, comparison, verdict."""
