"""FeatherFace V2 Ultra: face detection with 244,483 parameters."""
