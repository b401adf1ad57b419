"""Multi-head MobileNetV3-Small."""
