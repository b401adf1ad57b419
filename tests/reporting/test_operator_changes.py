"""Operators of two builds are matched, and what differs is named."""

from reporting.compile_documents import document, operator

from deploy.reporting.data.operator_changes import KnownOfOperator, operator_changes
from deploy.reporting.documents import ComparedBuild


def test_the_same_model_is_matched_by_index_and_only_differences_are_told() -> None:
    first = document(operator(0), operator(1), operator(2))
    other = document(operator(0), operator(1, cycles=130), operator(2, cycles=40))
    changes = operator_changes(first, other)
    assert [(change.change, change.after, change.cycles) for change in changes] == [
        ("cycles", 2, -60),
        ("cycles", 1, 30),
    ]
    assert operator_changes(first, first) == ()


def test_an_operator_that_moves_to_the_cpu_comes_with_its_reason() -> None:
    first, other = document(operator(0)), document(operator(0, cpu=True))
    (moved,) = operator_changes(first, other)
    assert (moved.change, moved.reason) == ("moved to the CPU", "no such kernel")
    assert (moved.cycles_before, moved.cycles_after) == (100, None)
    (back,) = operator_changes(other, first)
    assert (back.change, back.reason) == ("moved to the NPU", None)


def test_operators_of_another_model_are_matched_by_name_wherever_they_stand() -> None:
    first = document(operator(0, name="m/a"), operator(1, name="m/b"), operator(2, "MUL", "m/c"))
    other = document(
        operator(0, "SOFTMAX", "m/s", cpu=True),
        operator(1, name="n/b;n/more"),
        operator(2, name="n/a"),
        source_sha256="other",
    )
    changes = operator_changes(first, other)
    assert [(change.change, change.type, change.before, change.after) for change in changes] == [
        ("disappeared", "MUL", 2, None),
        ("appeared", "SOFTMAX", None, 0),
    ]
    assert changes[1].reason == "no such kernel"


def test_repeated_names_are_told_apart_by_their_order() -> None:
    first = document(*(operator(i, name="same", cycles=10 * i + 10) for i in range(3)))
    other = document(*(operator(i, name="same", cycles=10 * i + 10) for i in range(2)), source_sha256="other")
    (gone,) = operator_changes(first, other)
    assert (gone.change, gone.before, gone.cycles_before) == ("disappeared", 2, 30)


def test_where_all_names_differ_the_sequence_of_types_is_matched() -> None:
    types = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "ADD", "MEAN"]
    first = document(*(operator(i, type_, f"old_{i}") for i, type_ in enumerate(types)))
    inserted = [*types[:3], "MUL", *types[3:]]
    other = document(*(operator(i, type_, f"new_{i}") for i, type_ in enumerate(inserted)), source_sha256="other")
    (come,) = operator_changes(first, other)
    assert (come.change, come.type, come.after) == ("appeared", "MUL", 3)


def test_an_operator_that_only_changed_its_name_is_matched_by_what_runs_before_it() -> None:
    names = ("a", "b", "c", "d")
    first = document(*(operator(i, name=f"m/{name}", cycles=100 + i) for i, name in enumerate(names)))
    renamed = [
        operator(0, name="m/a", cycles=100),
        operator(1, "MUL", "m/new"),
        operator(2, name="m/b2", cycles=90),
    ]
    other = document(
        *renamed, operator(3, name="m/c", cycles=102), operator(4, name="m/d", cycles=103), source_sha256="other"
    )
    changes = operator_changes(first, other)
    assert [(change.change, change.type, change.before, change.after, change.cycles) for change in changes] == [
        ("appeared", "MUL", None, 1, 100),
        ("cycles", "CONV_2D", 1, 2, -11),
    ]


def test_memory_and_outputs_that_differ_are_told_beside_cycles_and_alone() -> None:
    first, other = (
        document(operator(0), operator(1), operator(2)),
        document(operator(0, cycles=90), *map(operator, (1, 2))),
    )
    before = {0: KnownOfOperator(10, 0.0), 1: KnownOfOperator(20, 0.0), 2: KnownOfOperator(None, 1.0)}
    after = {0: KnownOfOperator(15, 0.0), 1: KnownOfOperator(5, 0.0), 2: KnownOfOperator(7, 3.0)}
    changes = operator_changes(first, other, before, after)
    assert [(change.change, change.after, change.sram, change.lsb) for change in changes] == [
        ("cycles", 0, 5, 0.0),
        ("memory", 1, -15, 0.0),
        ("outputs", 2, None, 2.0),
    ]
    build = ComparedBuild(
        letter="B",
        build="b",
        model="m",
        npu="n",
        system_config="s",
        memory_mode="m",
        optimise="o",
        operators=changes,
    )
    assert build.structural == ()
    assert [change.after for change in build.slower] == [0]
    assert [change.after for change in build.larger] == [1, 0]
    assert [change.after for change in build.farther] == [2]


def test_what_only_one_build_knows_is_no_difference() -> None:
    same = document(operator(0))
    assert operator_changes(same, same, {}, {0: KnownOfOperator(7, 1.0)}) == ()
