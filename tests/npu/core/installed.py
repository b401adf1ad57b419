"""Whether the core of an installed wheel computes what NumPy computes, byte for byte; needs nothing but both.

    python -m tests.npu.core.installed [--seeds 25]

Runs random operations of every kind in every version of the loops that this processor has, and decompresses random
bytes. Exit status 0 with what was compared; 1 with what differs, or when the core is missing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence

import numpy as np

import deploy
from deploy.npu.core.library import native

from .comparing import KINDS, compared
from .random_streams import found_alike


def differences(seeds: int) -> Iterator[str]:
    """What the core computes otherwise, or not at all, in so many random operations of each kind."""
    core = native()
    assert core is not None
    for version, name in enumerate(core.VERSIONS):
        for family, kind in KINDS:
            for seed in range(seeds):
                outcome = compared(family, kind, seed, version)
                if outcome.core != outcome.done or not (outcome.same or not outcome.done):
                    yield f"{family} {kind}, seed {seed}, version {name}"
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        if not found_alike(rng.bytes(int(rng.integers(1, 2000))), 10_000):
            yield f"random bytes, seed {seed}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and say what was compared."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=25, help="random operations of each kind, and random streams")
    seeds = parser.parse_args(arguments).seeds
    core = native()
    if core is None:
        print(f"{deploy.__file__}: installed without the compiled core")
        return 1
    found = list(differences(seeds))
    for difference in found:
        print(f"differs: {difference}")
    print(f"{core.__file__}: {len(KINDS)} kinds of operations, {seeds} of each, in {', '.join(core.VERSIONS)}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
