"""Fault campaign: every injected fault must be detected (exit status, message) and leave nothing behind."""
