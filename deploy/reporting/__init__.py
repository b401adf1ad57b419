"""What builds, comparisons, sweeps and searches tell: text for the terminal, and HTML files with charts.

``data`` is what is shown, computed from a build folder or a document; ``charts`` makes Vega-Lite documents of it,
``pages`` HTML, and ``text`` what the terminal shows, verdicts, evaluations and rewrites among it. Charts and text
know the data and not each other; pages know the data and the charts. Nothing that is reported on imports this.
"""
