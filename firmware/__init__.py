"""C and C++ sources that rendered firmware projects consist of (package data)."""
