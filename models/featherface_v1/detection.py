"""Measures the trained weights; ``python -m deploy.models.featherface_v1.detection`` in a checkout.

Writes ``detection.json``, ``detection.png`` and the card's part about detection.
"""

from typing import Final

from deploy.models.datasets import face_data
from deploy.models.face_detection import evaluation

SCENES: Final = 240
MACHINE_SCENES: Final = 8


def main() -> None:
    """Measure and write."""
    evaluation.write("featherface-v1", face_data.test_scenes(SCENES), MACHINE_SCENES)


if __name__ == "__main__":
    main()
