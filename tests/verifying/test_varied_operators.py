"""Which operators vary over the inputs of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from deploy.build_folder import BuildFolder
from deploy.hardware.npus import npu_named
from deploy.judging.inputs import random_inputs
from deploy.verifying.host_session import HostSession
from deploy.verifying.varied_operators import VariedOperators


def test_it_is_settled_when_everything_that_runs_has_varied_and_not_before(built: Path) -> None:
    build = BuildFolder.open(built)
    session = HostSession(build.compiled_model, npu_named(build.document.npu))
    session.observer = varied = VariedOperators(build.debug)
    assert not varied.settled
    samples = random_inputs(build.source_model, 16).samples
    for _ in range(2):
        list(session.answers(samples[:1]))
        assert varied.counts is not None
        assert (varied.counts[0], varied.settled) == (0, False)
    shown = [answer.outputs for answer in session.answers(samples)]
    assert varied.counts is not None
    assert varied.settled == (varied.counts[0] == varied.counts[1])
    assert varied.settled
    session.observer = None
    for seen, unseen in zip(shown, session.answers(samples), strict=True):
        for name, array in seen.items():
            np.testing.assert_array_equal(unseen.outputs[name], array)
