"""Builds that several report tests look at, and a headless Chromium to look with."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import Builder
from made_once import made_once

from deploy import tflite
from deploy.build_folder import BuildFolder
from deploy.cli.html_report import keep_verdict
from deploy.compiling.compilation import compile_model
from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named
from deploy.verifying.verification import Verification, VerifyOptions

ATTACK = "</script><script>alert(1)</script>"
HOSTILE_NAMES = (
    ATTACK,
    'a"><img src=x onerror=alert(2)>',
    "{{ 7 * 7 }}{% raw %}",
    "__proto__",
    "\u202ereversed\u0000 control\u2028line",
    "x" * 5000,
    "<!--<script>",
    "';alert(3);//",
)


def compiled(model: bytes, folder: Path, *, name: str, npu: str = "U55-128") -> BuildFolder:
    """Compile a model into ``folder``."""
    options = compile_options(npu_named(npu))
    return compile_model(tflite.load(model), options, folder, name=name, source=f"{name}.tflite")


def renamed(model: bytes, name_of: Callable[[int], str]) -> bytes:
    """A model whose tensor ``i`` is called ``name_of(i)``, without a signature that would name it otherwise."""
    root = schema.ModelT.InitFromPackedBuf(model, 0)
    root.signatureDefs = None
    for index, tensor in enumerate(root.subgraphs[0].tensors):
        tensor.name = name_of(index)
    builder = Builder(len(model))
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.fixture(scope="session")
def residual(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """ResNet-8 for U55-128, verified on 24 inputs with labels; nobody may write into it."""

    def make(folder: Path) -> None:
        build = compiled(mlperf_tiny["image_classification"].read_bytes(), folder / "build", name="resnet-8")
        source = tflite.read(build.source)
        tensor = source.input_tensors[0]
        generator = np.random.default_rng(5)
        np.save(folder / "inputs.npy", generator.integers(-128, 128, (24, *tensor.shape[1:]), dtype=np.int8))
        classes = [f"class {i}" for i in range(10)]
        labels = {name: {"classes": classes, "true": [6] * 24} for name in source.output_names().values()}
        (folder / "labels.json").write_text(json.dumps(labels))
        options = VerifyOptions(inputs=folder / "inputs.npy", labels=folder / "labels.json", layers=True)
        keep_verdict(build, "verify", Verification(build, options).run())

    return BuildFolder.open(made_once(tmp_path_factory, "residual", make) / "build")


@pytest.fixture(scope="session")
def partly_on_cpu(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """An autoencoder with float inputs, for U65-256: QUANTIZE and DEQUANTIZE stay on the CPU."""

    def make(folder: Path) -> None:
        model = mlperf_tiny["anomaly_detection"].read_bytes()
        compiled(model, folder / "build", name="autoencoder", npu="U65-256")

    return BuildFolder.open(made_once(tmp_path_factory, "partly-on-cpu", make) / "build")


@pytest.fixture(scope="session")
def hostile(mlperf_tiny: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> BuildFolder:
    """ResNet-8 whose tensors, and itself, are called what would break out of a careless page."""

    def make(folder: Path) -> None:
        model = mlperf_tiny["image_classification"].read_bytes()
        content = renamed(model, lambda i: HOSTILE_NAMES[i % len(HOSTILE_NAMES)] + str(i))
        compiled(content, folder / "build", name=ATTACK)

    return BuildFolder.open(made_once(tmp_path_factory, "hostile", make) / "build")


class Browser:
    """A headless Chromium with one page, which must not speak to any network.

    Attributes:
        driver: Selenium's.
    """

    def __init__(self) -> None:
        from selenium import webdriver

        chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
        assert chromium and driver, "these tests need chromium and chromium-driver: `make test` installs them"
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        self.driver.set_page_load_timeout(60)
        self.driver.set_script_timeout(240)  # axe, over a thousand operators on a computer that does more besides
        # Else Selenium gives an answer up after 120 seconds, whatever a script may take.
        self.driver.command_executor.client_config.timeout = 300

    def open(
        self,
        page: Path,
        *,
        width: int = 1200,
        height: int = 900,
        dark: bool = False,
        media: str = "",
        ready: str = "window.deployReport?.drawn",
    ) -> None:
        """Open a page in a window of that size and wait until it is ready: a report's charts are drawn."""
        self.log()
        self.requests()
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": scheme})
        self.driver.get(page.resolve().as_uri())
        end = time.monotonic() + 60
        while not self.run(f"return {ready} ?? false"):
            assert time.monotonic() < end, f"the page was not ready ({ready}): {self.log()}"
            time.sleep(0.05)

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def log(self) -> list[str]:
        """What the console said since the last call."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    opened = Browser()
    yield opened
    opened.driver.quit()
