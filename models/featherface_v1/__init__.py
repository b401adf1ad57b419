"""FeatherFace V1, a face detector of 487,103 parameters."""
