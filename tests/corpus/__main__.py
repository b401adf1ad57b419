"""``python -m corpus``, see :mod:`corpus.run`."""

import sys

from corpus.run import main

if __name__ == "__main__":
    sys.exit(main())
