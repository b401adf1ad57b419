"""The NPU model as what answers: the same answers one by one and side by side, in bounded batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.judging.samples import Sample, stacked
from deploy.verifying.host_session import HostSession, batch_size


@pytest.fixture(scope="module")
def session(built: Path) -> HostSession:
    return HostSession(BuildFolder.open(built).compiled_model, npu_named("U55-128"))


@pytest.fixture(scope="module")
def samples(built: Path) -> tuple[Sample, ...]:
    return random_inputs(BuildFolder.open(built).compiled_model, 5).samples


def test_batches_are_bounded_by_the_size_of_the_arena() -> None:
    assert batch_size(64 * 1024) == 64
    assert batch_size(8 * 1024 * 1024) == 2
    assert batch_size(10**9) == 1


def test_answers_come_in_order_whatever_the_batch(session: HostSession, samples: tuple[Sample, ...]) -> None:
    alone = [session.inference.run(sample) for sample in samples]
    session.batch = 2
    with session as opened:
        answers = list(opened.answers(samples))
    assert len(answers) == 5
    for answer, expected in zip(answers, alone, strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(answer.outputs[name], values)
    for name, values in session.outputs(stacked(samples)).items():
        np.testing.assert_array_equal(values, np.stack([outputs[name] for outputs in alone]))


def test_it_says_that_the_host_answered(session: HostSession) -> None:
    assert session.origin.platform is not None
    assert (session.origin.platform.kind, session.origin.platform.npu) == ("host", "U55-128")
    assert session.origin.firmware is None
