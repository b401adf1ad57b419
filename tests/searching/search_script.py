"""A search whose networks are judged by a formula, as a program that can be killed: FOLDER TRIALS SECONDS."""

import hashlib
import json
import sys
import time
from pathlib import Path

import numpy as np

from deploy.build_folder import Figure
from deploy.errors import BadInputError
from deploy.models.mobilenetv4.search_space import blocks_text, channels_of, network_of, stages, widths_text
from deploy.searching.documents import Settings
from deploy.searching.problem import Problem
from deploy.searching.search import Budget, Search, Trained
from deploy.searching.space import Description
from deploy.searching.state import SearchFolder


def refuse(_what: object) -> float:
    raise AssertionError("the formula builds and trains nothing")


def columns(description: Description) -> dict[str, str]:
    network = network_of(description)
    return {"widths": widths_text(network), "blocks": blocks_text(network)}


PROBLEM = Problem(
    stages=stages(28),
    build=refuse,
    train=refuse,
    training="none",
    calibration=np.zeros((1, 28, 28, 1), np.float32),
    columns=columns,
    legend="blocks: kernels.",
)


def settings(**changed: object) -> Settings:
    values = {
        "model": "models:mobilenetv4",
        "options": {"size": 28},
        "seed": 1,
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

    def estimate(self, network: Description) -> tuple[Figure, ...]:
        self.estimated.append(json.dumps(network))
        blocks = columns(network)["blocks"]
        if blocks.startswith("--"):
            raise BadInputError("no depthwise convolution in the first block")
        cycles = 100.0 * sum(channels_of(network_of(network))) + 1000 * len(
            blocks.replace("-", "").replace(" ", "")
        )
        return (Figure(name="total_cycles", value=cycles, unit="cycles", label="estimate", source="formula"),)

    def train(self, network: Description) -> Trained:
        self.trained.append(json.dumps(network))
        time.sleep(self._seconds)
        digest = hashlib.sha256(json.dumps(network).encode()).digest()
        accuracy = 0.5 + sum(channels_of(network_of(network))) / 1000 + digest[0] / 2000
        figure = Figure(name="accuracy", value=accuracy, unit="1", label="measured", source="formula")
        return Trained(figure, 1000, digest)


def search(folder: Path, trials: int, cheap: Cheap, **changed: object) -> str:
    chosen = settings(**changed)
    with SearchFolder(folder, chosen) as opened:
        Search(opened, PROBLEM, chosen, Budget(trials), estimate=cheap.estimate, train=cheap.train).run()
    return (folder / "result.json").read_text()


if __name__ == "__main__":
    search(Path(sys.argv[1]), int(sys.argv[2]), Cheap(float(sys.argv[3])))
