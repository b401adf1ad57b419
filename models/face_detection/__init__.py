"""From a face network's outputs to boxes: anchors, decoding, training, measuring, pictures."""
