"""Bounds on what one operation may ask for: they protect the host from damaged or hostile streams.

All of them are far above what the hardware's memories can feed.
"""

MAX_ELEMENTS = 1 << 25
"""Elements of one feature map, padding and upscaling included."""

MAX_KERNEL = 256 * 256
"""Kernel elements (source: Vela 5.2.0, the largest kernel that it places on the NPU)."""

MAX_MACS = 1 << 36
"""Multiply-accumulates of one convolution."""

MAX_TAPS = 1 << 33
"""Elements times kernel size of one depthwise convolution or pooling."""
