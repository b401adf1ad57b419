"""From a build to a firmware project: C headers, sources, CMake."""
