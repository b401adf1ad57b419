"""Layers that the face networks share: backbone, attention, feature pyramid, context, heads."""
