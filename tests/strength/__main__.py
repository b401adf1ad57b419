"""``python -m strength``, see :mod:`strength.run`."""

import sys

from strength.run import main

if __name__ == "__main__":
    sys.exit(main())
