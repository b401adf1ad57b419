"""Rewrites of quantized TFLite graphs: cheaper forms of the same function, and what Vela makes of each."""
