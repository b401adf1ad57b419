"""From a face network's outputs to boxes: anchors, decoding, training data, training, pictures."""
