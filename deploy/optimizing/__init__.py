"""Applies rewrites to a model where they pay, checks them, and says what was won."""
