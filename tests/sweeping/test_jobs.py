"""What a worker is asked, and when it declines."""

from pathlib import Path

import pytest

import deploy
from deploy.compiling.compile_options import compile_options
from deploy.hardware.npus import npu_named
from deploy.sweeping import jobs
from deploy.sweeping.cache import key_of

OPTIONS = compile_options(npu_named("U55-128"))


def test_a_result_is_known_by_velas_version_and_the_code_and_not_by_this_packages_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = key_of("point", jobs.request_of(OPTIONS))
    monkeypatch.setattr(deploy, "__version__", "9.9.9")
    assert key_of("point", jobs.request_of(OPTIONS)) == before
    with monkeypatch.context() as other:
        other.setattr(jobs, "code_digest", lambda *_packages: "0" * 64)
        assert key_of("point", jobs.request_of(OPTIONS)) != before
    monkeypatch.setattr("deploy.compiling.vela.version", lambda: "5.3.0")
    assert key_of("point", jobs.request_of(OPTIONS)) != before


def test_a_worker_with_other_code_says_so_and_computes_nothing(mlperf_tiny: dict[str, Path]) -> None:
    request = jobs.request_of(OPTIONS)
    content = mlperf_tiny["keyword_spotting"].read_bytes()
    asked = {**request, "decided by": {**request["decided by"], "deploy's code": "0123456789abcdef"}}
    answer = jobs.compile_point(content, asked)
    assert answer["error"].startswith(f"the worker has ethos-u-vela {jobs.vela.version()}, deploy's code ")
    assert answer["error"].endswith("deploy's code 0123456789ab")
    assert "figures" in jobs.compile_point(content, request)
