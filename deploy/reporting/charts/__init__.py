"""The charts, as Vega-Lite documents; ``gallery`` lists those of builds and comparisons."""
