"""``python -m deploy.corstone``: the same as ``open-corstone-300``."""

from deploy.corstone.cli import main

main()
