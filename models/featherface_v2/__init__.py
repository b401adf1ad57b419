"""FeatherFace V2 Ultra, a face detector of 244,483 parameters."""
