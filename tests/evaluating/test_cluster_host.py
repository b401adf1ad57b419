"""What a worker does with a chunk is what this computer would do; a sequence is not shared out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.evaluating.cluster_host import check_options, run_both
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import read_models
from deploy.judging.opinion import one_oracle
from deploy.judging.sample_bytes import pack_samples, unpack_samples
from deploy.verifying.host_session import HostSession


@pytest.mark.tensorflow
def test_a_chunk_gives_what_the_npu_model_and_the_reference_say_here(built: Path) -> None:
    models = read_models(BuildFolder.open(built))
    random = np.random.default_rng(5)
    samples = [{"image": random.integers(0, 256, (1, 16, 16, 1)).astype(np.uint8)} for _ in range(3)]
    source, compiled = models.source.content, models.compiled.content
    result = run_both(source, compiled, "U55-128", "auto", pack_samples(samples))
    reference = one_oracle(models.source, "auto")
    here = [answer.outputs for answer in HostSession(models.compiled, npu_named("U55-128")).answers(samples)]
    for who, expected in (("target", here), ("reference", reference.run_all(samples))):
        for one, other in zip(unpack_samples(result[who]), expected, strict=True):
            assert {name: value.tolist() for name, value in one.items()} == {
                name: value.tolist() for name, value in other.items()
            }
    assert result["name"] == reference.name


def test_what_a_worker_cannot_do_it_tells_and_a_sequence_is_refused() -> None:
    told = run_both(b"no model", b"no model", "U55-128", "auto", pack_samples([{"x": np.zeros(1)}]))
    assert (told["exit_status"], "compiled model" in told["error"]) == (2, True)
    with pytest.raises(BadInputError, match="one machine"):
        check_options(sequence=True)
