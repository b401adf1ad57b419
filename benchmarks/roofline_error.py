"""Error of the roofline against Vela, by operator and family; ``--write`` puts the tables into docs/roofline.md.

Networks are given as FAMILY=FILE.tflite (quantized, before Vela). ``--zoo`` adds those of the model zoo, built,
quantized with random weights where a project brings none (minutes each on one core). Vela's cycles are estimates
too, not hardware.

    python benchmarks/roofline_error.py --zoo --write
    python benchmarks/roofline_error.py MLPerf-Tiny=keyword_spotting.tflite --npu U55-128 U65-256
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from deploy import tflite
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.roofline.against_vela import AgainstVela, compare
from deploy.tflite import Model

DOCUMENT = Path(__file__).parent.parent / "docs" / "roofline.md"
BEGIN, END = "<!-- written by benchmarks/roofline_error.py -->", "<!-- end of what is written -->"
ZOO = (
    ("multi-head MobileNetV3", "multihead-mobilenetv3", ()),
    ("multi-head MobileNetV3", "multihead-mobilenetv3", ("alpha=0.5", "size=96")),
    ("multi-head MobileNetV3", "multihead-mobilenetv3", ("alpha=1.0", "size=224", "channels=3")),
    ("FeatherFace V1", "featherface-v1", ("size=128",)),
    ("FeatherFace V1", "featherface-v1", ("size=320",)),
    ("FeatherFace V1", "featherface-v1", ("size=128", "context=dcn")),
    ("FeatherFace V2", "featherface-v2", ("size=128",)),
    ("FeatherFace V2", "featherface-v2", ("size=320",)),
    ("MobileNetV4 Conv", "mobilenetv4", ()),
    ("MobileNetV4 Conv", "mobilenetv4", ("variant=conv-m", "size=224")),
    ("MobileNetV4 Conv", "mobilenetv4", ("variant=conv-l",)),
    ("MobileNetV4 Hybrid", "mobilenetv4", ("variant=hybrid-m", "size=224")),
    ("MobileNetV4 Hybrid", "mobilenetv4", ("variant=hybrid-l",)),
)


def zoo_networks() -> Iterator[tuple[str, str, Model]]:
    from deploy import zoo
    from deploy.zoo.quantized import quantize_network

    for family, name, assignments in ZOO:
        network = zoo.network(name, assignments)
        yield family, " ".join((name, *assignments)), quantize_network(network).model


def given_networks(words: list[str]) -> Iterator[tuple[str, str, Model]]:
    for word in words:
        family, equals, file = word.partition("=")
        if not equals:
            raise SystemExit(f"{word}: must be FAMILY=FILE.tflite")
        yield family, Path(file).stem, tflite.read(Path(file))


def totals(found: dict[tuple[str, str], list[AgainstVela]], npus: list[str]) -> list[str]:
    lines = ["| family | network | " + " | ".join(npus) + " |", "|---|---|" + "---:|" * len(npus)]
    for (family, network), items in found.items():
        ratios = {item.npu: f"{item.ratio:.2f}" for item in items}
        lines.append(f"| {family} | {network} | " + " | ".join(ratios.get(npu, "") for npu in npus) + " |")
    return lines


def operators(found: dict[tuple[str, str], list[AgainstVela]], npu: str) -> list[str]:
    groups: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    whole: dict[str, int] = defaultdict(int)
    for (family, _), items in found.items():
        for item in items:
            if item.npu != npu:
                continue
            for layer in item.layers:
                groups[layer.operator, family].append((layer.ours, layer.vela))
                groups[layer.operator, "all"].append((layer.ours, layer.vela))
                for key in (family, "all"):
                    whole[key] += layer.vela
    lines = ["| operator | family | layers | share | median | p10 | p90 | sum |", "|---|---|" + "---:|" * 6]
    order = sorted(
        groups, key=lambda key: (-sum(v for _, v in groups[key[0], "all"]), key[0], key[1] != "all", key[1])
    )
    for operator, family in order:
        pairs = groups[operator, family]
        ours, vela = (sum(side) for side in zip(*pairs, strict=True))
        ratios = [o / v for o, v in pairs if v]
        if not ratios:
            continue
        p10, median, p90 = np.percentile(ratios, (10, 50, 90))
        lines.append(
            f"| {operator} | {family} | {len(pairs)} | {100 * vela / whole[family]:.1f} % "
            f"| {median:.2f} | {p10:.2f} | {p90:.2f} | {ours / vela:.2f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="FAMILY=FILE.tflite")
    parser.add_argument("--zoo", action="store_true", help="add the networks of the zoo")
    parser.add_argument(
        "--npu", nargs="*", default=["U55-32", "U55-64", "U55-128", "U55-256", "U65-256", "U65-512"]
    )
    parser.add_argument(
        "--detail", nargs="*", default=["U55-128", "U65-256"], help="NPUs with a table by operator"
    )
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT.name}")
    options = parser.parse_args()
    found: dict[tuple[str, str], list[AgainstVela]] = defaultdict(list)
    sources = [given_networks(options.networks), zoo_networks() if options.zoo else iter(())]
    for family, network, model in (item for source in sources for item in source):
        for npu in options.npu:
            try:
                outcome = compare(model, npu_named(npu), source=network)
            except BadInputError as error:
                raise SystemExit(str(error)) from error
            found[family, network].append(outcome)
            print(
                f"{network} on {npu}: {outcome.ours} cycles, Vela {outcome.vela}, {outcome.ratio:.2f}", flush=True
            )
    lines = ["Our cycles by Vela's, whole networks:", "", *totals(found, options.npu)]
    for npu in (npu for npu in options.detail if npu in options.npu):
        lines += ["", f"Our cycles by Vela's, layer by layer, on {npu} (share: of Vela's cycles):", ""]
        lines += operators(found, npu)
    text = "\n".join(lines)
    print(text)
    if options.write:
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
