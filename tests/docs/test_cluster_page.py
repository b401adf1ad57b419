"""What the page about clusters gives to type keeps others out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from page_blocks import ROOT, blocks

PAGE = ROOT / "docs" / "how-to" / "cluster.md"
MANIFEST = ROOT / "docs" / "how-to" / "cluster.yaml"
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))
PODS = [each["spec"]["template"]["spec"] for each in OBJECTS if each["kind"] == "Deployment"]


def test_no_web_page_of_dask_is_open_to_others_and_on_one_computer_nothing_is() -> None:
    started = [
        line.removeprefix("$ ")
        for block in blocks(PAGE)
        for line in block.text.replace("\\\n", " ").splitlines()
        if "dask scheduler" in line or "dask worker" in line
    ]
    assert len(started) == 4
    assert all("--dashboard-address 127.0.0.1:" in line and "--host " in line for line in started)
    assert all("--host 127.0.0.1 " in line for line in started[:2]), "one computer comes first"


def test_pods_are_not_root_cannot_write_and_are_bounded() -> None:
    assert len(PODS) == 2
    for pod in PODS:
        assert pod["automountServiceAccountToken"] is False
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 65534)
        for container in pod["containers"]:
            context = container["securityContext"]
            assert (context["readOnlyRootFilesystem"], context["allowPrivilegeEscalation"]) == (True, False)
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_nobody_outside_the_namespace_reaches_the_scheduler() -> None:
    services = [each["spec"] for each in OBJECTS if each["kind"] == "Service"]
    assert [service["type"] for service in services] == ["ClusterIP"]
    policy = next(each["spec"] for each in OBJECTS if each["kind"] == "NetworkPolicy")
    assert policy["podSelector"] == {}
    assert policy["ingress"] == [{"from": [{"podSelector": {}}]}]
    assert {each["metadata"].get("namespace", "deploy") for each in OBJECTS} == {"deploy"}


@pytest.mark.slow
def test_the_manifests_are_what_kubernetes_takes() -> None:
    uv = Path(sys.executable).parent / "uv"
    tool = [uv, "tool", "run", "--from", "kubernetes-validate>=1.37,<2", "kubernetes-validate", "--strict"]
    done = subprocess.run([*tool, MANIFEST], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
