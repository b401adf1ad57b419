"""The NPUs and the boards, as data."""
