"""The corpus: networks, the oracles' answers to them, and the table of how the NPU model fares."""
