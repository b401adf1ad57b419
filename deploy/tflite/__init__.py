"""TFLite files: reading, the graph to change, and new operators for it."""
