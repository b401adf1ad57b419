"""The check of a build's operators: each on what the NPU model computed before it, and on made-up values.

``verify`` and ``compile`` make it, and runs on targets whose build brings no record of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from deploy.build_folder import VELA_FOLDER, BuildFolder
from deploy.debug_database import DebugDatabase
from deploy.errors import BadInputError
from deploy.hardware.npus import npu_named
from deploy.judging.build_models import Models
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.samples import Sample
from deploy.verifying.channel_scales import compare_scales, with_scale_differences
from deploy.verifying.check_rounds import Rounds
from deploy.verifying.checked_operators import CheckedOperators, not_checked
from deploy.verifying.layer_capture import LayerCapture
from deploy.verifying.merged_results import merged, with_faults
from deploy.verifying.miscompilations import operations_of, with_miscompilations
from deploy.verifying.npu_inference import NpuInference, Observer
from deploy.verifying.reference_ahead import ReferenceAhead


def check_operators(
    build: BuildFolder,
    models: Models,
    samples: Sequence[Sample],
    *,
    inference: NpuInference | None = None,
    limit_s: float | None = None,
    ahead: ReferenceAhead | None = None,
    observer: Observer | None = None,
    sequence: bool = False,
) -> CheckedOperators:
    """Compare the NPU model with the oracles operator by operator.

    Args:
        build: an open build folder.
        models: of that build.
        samples: inputs, at least one; as many are used as :func:`~deploy.verifying.usual_inputs.affordable` says.
        inference: that has the compiled model before it; None makes one.
        limit_s: seconds after which nothing further is begun; what was not compared then is named in
            ``check.left_out``. None for no limit. In a limited time, what the first inputs leave of it is for
            further ones.
        ahead: what the reference kernels have said already; with a large network, the time that it took is part
            of the limited one.
        observer: called after every NPU operation of these inputs.
        sequence: whether the samples are one sequence, in which the model keeps its state.

    Returns:
        Its figures and results. What no oracle has is named in ``check.left_out`` and is no error, and so is a
        build without a debug database: ``check.source`` is ``none`` then.

    Raises:
        BadInputError: the NPU model cannot run the build, or the samples do not fit it.
        NotInstalledError: LiteRT is missing.
        TargetError: the NPU model refused the command stream.
    """
    until = math.inf if limit_s is None else time.monotonic() + limit_s
    try:
        database = debug_database(build)
        LayerCapture(models.source, database)
    except BadInputError as error:
        return not_checked(build, error.message)
    if inference is None:
        inference = NpuInference(models.compiled, npu_named(build.document.npu))
    rounds = Rounds(
        build,
        models.source,
        inference,
        samples,
        until=until,
        ahead=ahead,
        observer=observer,
        sequence=sequence,
    )
    on_inputs = rounds.on_inputs()
    first = next(on_inputs)
    # Before further inputs: they show more of what is wrong.
    made_up = list(rounds.on_made_up_values(first))
    done = [first, *on_inputs]
    results = merged([each.walk.results for each in done], [each.inputs for each in done])
    results = with_faults(
        results, merged([each.walk.results for each in made_up], [each.inputs for each in made_up])
    )
    programs = inference.programs()
    results = with_miscompilations(results, models.source, operations_of(programs, database))
    scales = compare_scales(models.source, models.compiled, programs, database)
    results = with_scale_differences(results, models.source, scales)
    # What a later round did not get to was compared in the first one.
    whole = [each for each in done if each.answers]
    expected = tuple(sample for each in whole for sample in each.walk.expected)
    answers = tuple(answer for each in whole for answer in each.answers)
    inputs, sets = (sum(each.walk.inputs for each in some) for some in (done, made_up))
    check = OperatorCheck(
        inputs=inputs,
        made_up=sets,
        operators=len(first.walk.compared),
        differing=len({result.index for result in results if result.mismatches}),
        unexplained=len({result.index for result in results if not result.explained}),
        exact=len(scales.compared),
        inexact=len(scales.left_out),
        left_out=first.walk.left_out,
        source="this run",
        sha256=build.document.compiled_sha256,
    )
    return CheckedOperators(
        check, results, answers, expected if len(expected) == len(answers) else (), rounds.in_time
    )


def debug_database(build: BuildFolder) -> DebugDatabase:
    """Vela's debug database of a build.

    Raises:
        BadInputError: there is none.
    """
    if not build.debug and build.document.compiled_file:
        raise BadInputError(
            "the file comes without Vela's debug database, which says what computes which operator"
        )
    if not build.debug:
        raise BadInputError(
            f"{build.path / VELA_FOLDER}: Vela's debug database is missing", hints=["run `deploy compile` again"]
        )
    return build.debug
