"""Command streams: what Vela wrote, taken apart into operations."""
