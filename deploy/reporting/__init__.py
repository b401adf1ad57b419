"""What a build folder tells: as text for the terminal, and as one HTML file with charts.

``collecting`` reads a build folder into the data model of ``content``; ``operators``, ``live_tensors``, ``flash``,
``roofline``, ``traffic``, ``operator_graph`` and ``outputs`` compute its parts; ``charts`` turns them into
Vega-Lite documents, and ``html`` into the page.
"""
