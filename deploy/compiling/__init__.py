"""From a quantized model to a build folder: Vela, its reports, placement."""
