"""The part of a build that can be judged, where operators on the CPU have no kernels on this host.

A model may end in an operator of somebody's own, such as the Edge TPU's decoder of poses, which neither LiteRT nor
TFLM knows. Nothing says what it must compute. What it is computed from can be judged like any output: so the two
models are cut in front of it, and the verdict names what was not judged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from deploy.build_folder import BuildFolder
from deploy.errors import BadInputError
from deploy.judging.evidence import Evidence
from deploy.judging.kernel_process import KernelProcess
from deploy.judging.operator_check import OperatorCheck
from deploy.judging.oracles import ANY_KERNELS
from deploy.tflite import Model, Operator, damage_named, load
from deploy.tflite.records import packed, unpacked
from deploy.tflite.single_operator import OperatorFiles
from deploy.verifying.cpu_operators import CpuOperator


@dataclass(frozen=True)
class JudgedPart:
    """What of a build can be judged.

    Attributes:
        build: the same folder; its models are cut where an operator is unknown.
        without: what is not judged, and why: one sentence an operator.
    """

    build: BuildFolder
    without: tuple[str, ...] = ()

    def noted(self, check: OperatorCheck) -> OperatorCheck:
        """A check of the operators with what it left out."""
        return check.model_copy(update={"left_out": (*check.left_out, *self.without)})

    def weakened(self, evidence: Evidence) -> Evidence:
        """What evidence is worth where a part was not judged."""
        return evidence.model_copy(update={"weak": (*evidence.weak, *self.without)})


def judged_part(build: BuildFolder) -> JudgedPart:
    """Cut a build in front of the operators that no kernels of this host know.

    The build is left as it is where they know all, where something else comes behind such an operator in the file,
    or where nothing on the NPU would be left.

    Args:
        build: an open build folder.

    Raises:
        BadInputError: a model is damaged.
        NotInstalledError: LiteRT is missing.
    """
    strangers = unknown_operators(build.source_model)
    if not strangers:
        return JudgedPart(build)
    codes = {operator.code for operator in strangers}
    compiled = _in_front_of(build.compiled_model, codes)
    source = _in_front_of(build.source_model, codes) if build.has_source else compiled
    if compiled is None or source is None or not any(operator.on_npu for operator in compiled.operators):
        return JudgedPart(build)
    if set(source.output_names().values()) != set(compiled.output_names().values()):
        return JudgedPart(build)
    part = BuildFolder(build.path, build.document)
    part.compiled_model, part.source_model = compiled, source
    names = build.source_model.output_names()
    lost = [name for name in names.values() if name not in source.output_names().values()]
    what = f"outputs {', '.join(lost)} are not judged" if lost else "what it computes is not judged"
    return JudgedPart(
        part,
        tuple(
            f"operator {operator.index} {operator.code} has no oracle, neither LiteRT nor TFLM knows it: {what}; "
            "the tensors in front of it are"
            for operator in strangers
        ),
    )


def unknown_operators(model: Model) -> tuple[Operator, ...]:
    """The custom operators of a model that neither the NPU nor any kernels of this host compute.

    Raises:
        NotInstalledError: LiteRT is missing.
    """
    custom = [operator for operator in model.operators if operator.is_custom and not operator.on_npu]
    if not custom:
        return ()
    files, process, found = OperatorFiles(model), KernelProcess(), list[Operator]()
    for operator in custom:
        try:
            CpuOperator(operator, model, files.content(operator), ANY_KERNELS, process)
        except BadInputError:
            found.append(operator)
    return tuple(found)


def _in_front_of(model: Model, codes: Iterable[str]) -> Model | None:
    """A model without operators of such codes and what is computed from them; None where others follow them.

    What they are computed from becomes outputs. Tensors and the operators that stay keep their numbers.
    """
    gone: set[int] = set()
    left, dropped, outputs = list[Operator](), list[Operator](), dict[int, str]()
    for operator in model.operators:
        if operator.code not in codes and gone.isdisjoint(operator.inputs):
            left.append(operator)
            continue
        dropped.append(operator)
        gone.update(operator.outputs)
    if any(operator.index > dropped[0].index for operator in left):
        return None
    for operator in dropped:
        for tensor in model.activations(operator):
            if tensor.index not in gone and tensor.index not in model.inputs:
                outputs[tensor.index] = f"{tensor.name} (in front of {operator.code})"
    outputs |= {index: name for index, name in model.output_names().items() if index not in gone}
    if not left or not outputs:
        return None
    return _cut(model, len(left), outputs)


def _cut(model: Model, operators: int, outputs: dict[int, str]) -> Model:
    """A model of the first operators alone, with other outputs: tensor index -> name."""
    with damage_named("the model"):
        record = unpacked(model.content)
        graph = record.subgraphs[model.subgraph]
        graph.operators, graph.outputs = graph.operators[:operators], list(outputs)
        # LiteRT looks for kernels of all codes in a file, whether an operator has them or not.
        used = sorted({operator.opcodeIndex for each in record.subgraphs for operator in each.operators or ()})
        record.operatorCodes = [record.operatorCodes[number] for number in used]
        for each in record.subgraphs:
            for operator in each.operators or ():
                operator.opcodeIndex = used.index(operator.opcodeIndex)
        record.signatureDefs = []
        found = load(packed(record), source="the model")
    named = {name: index for index, name in outputs.items()}
    return dataclasses.replace(found, signature=model.signature_with(named))
