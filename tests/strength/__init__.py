"""How strong a verdict is, in numbers: what it finds of what is wrong, and what it refuses of what is right."""
