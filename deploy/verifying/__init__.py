"""The host-only verification: a compiled model on the NPU model, operator by operator."""
