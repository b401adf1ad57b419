"""A search whose networks are judged by a formula, as a program that can be killed: FOLDER TRIALS SECONDS."""

import hashlib
import sys
import time
from pathlib import Path

from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.models.mobilenetv4.blocks import Network
from deploy.searching.documents import Settings
from deploy.searching.search import Budget, Search, Trained
from deploy.searching.space import blocks_text, channels_of
from deploy.searching.state import SearchFolder


def settings(**changed: object) -> Settings:
    values = {
        "seed": 1,
        "size": 28,
        "samples": 64,
        "epochs": 1,
        "oracle": "roofline",
        "npu": "U55-128",
        "limit_cycles": None,
        "versions": {},
    }
    return Settings.model_validate({**values, **changed})


class Cheap:
    """Counts what it is asked."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.trained: list[str] = []
        self.estimated: list[str] = []
        self._seconds = seconds

    def estimate(self, network: Network) -> tuple[Figure, ...]:
        self.estimated.append(repr(network))
        if blocks_text(network).startswith("--"):
            raise BadInputError("no depthwise convolution in the first block")
        cycles = 100.0 * sum(channels_of(network)) + 1000 * len(
            blocks_text(network).replace("-", "").replace(" ", "")
        )
        return (Figure(name="total_cycles", value=cycles, unit="cycles", label="estimate", source="formula"),)

    def train(self, network: Network) -> Trained:
        self.trained.append(repr(network))
        time.sleep(self._seconds)
        digest = hashlib.sha256(repr(network).encode()).digest()
        accuracy = 0.5 + sum(channels_of(network)) / 1000 + digest[0] / 2000
        figure = Figure(name="accuracy", value=accuracy, unit="1", label="measured", source="formula")
        return Trained(figure, 1000, digest)


def search(folder: Path, trials: int, cheap: Cheap, **changed: object) -> str:
    chosen = settings(**changed)
    with SearchFolder(folder, chosen) as opened:
        Search(opened, chosen, Budget(trials), estimate=cheap.estimate, train=cheap.train).run()
    return (folder / "result.json").read_text()


if __name__ == "__main__":
    search(Path(sys.argv[1]), int(sys.argv[2]), Cheap(float(sys.argv[3])))
