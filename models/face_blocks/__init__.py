"""Layers that the FeatherFace networks share."""
