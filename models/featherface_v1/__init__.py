"""FeatherFace V1: face detection with 487,103 parameters."""
