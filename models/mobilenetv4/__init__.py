"""MobileNetV4: Conv-S/M/L and Hybrid-M/L."""
