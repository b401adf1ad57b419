"""Weight and scale streams, decoded."""
