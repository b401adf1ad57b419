"""What the NPU computes: every kind of operation on byte arrays, bit for bit."""
