"""From a float model and real data to a full-integer TFLite model."""
