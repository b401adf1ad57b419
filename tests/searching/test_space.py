"""A space of a search: which genomes are in it, and that what they stand for can be written down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import BadInputError
from deploy.searching.space import Space, choices

options = st.dictionaries(
    st.text(), st.lists(st.integers() | st.text(), min_size=1, max_size=4), min_size=1, max_size=4
)


@given(given_options=options, data=st.data())
def test_a_genome_of_choices_stands_for_one_value_of_every_option(
    given_options: dict[str, list[object]], data: st.DataObject
) -> None:
    space = choices(given_options)
    genome = tuple(data.draw(st.integers(0, count - 1)) for count in space.options)
    space.check(genome)
    assert space.describe(genome) == {
        name: values[gene] for (name, values), gene in zip(given_options.items(), genome, strict=True)
    }


def test_a_genome_of_another_space_is_refused() -> None:
    space = choices({"width": [8, 16], "depth": [1]})
    assert space.size == 2
    for genome in ((0,), (0, 1), (2, 0), (-1, 0), (0, 0, 0)):
        with pytest.raises(BadInputError, match="none of this search"):
            space.check(genome)


@pytest.mark.parametrize("empty", [{}, {"width": []}])
def test_a_space_without_networks_is_refused(empty: dict[str, list[int]]) -> None:
    with pytest.raises(BadInputError, match="has no networks"):
        choices(empty)


@pytest.mark.parametrize("network", [3, {"width": {8}}, {"width": float("nan")}, None])
def test_a_network_that_is_no_json_object_is_refused(network: object) -> None:
    space = Space((1,), True, lambda _genome: network)
    with pytest.raises(BadInputError, match=r"the network of the genome \[0\] is no JSON object"):
        space.describe((0,))


def test_a_network_is_described_as_it_will_be_read_again() -> None:
    assert choices({"kernels": [(3, 5)]}).describe((0,)) == {"kernels": [3, 5]}
