"""The two-stage search: widths of the stages first, then the depthwise convolutions of every block."""
