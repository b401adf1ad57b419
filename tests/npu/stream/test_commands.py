import numpy as np
import pytest

from deploy.npu import StreamError, UnsupportedError
from deploy.npu.stream.commands import Command, Settings, split
from deploy.npu.stream.u55_commands import COMMANDS, Cmd0, Cmd1


def words(*values: int) -> np.ndarray:
    return np.array(values, np.uint32)


def test_commands_of_one_and_two_words_are_told_apart() -> None:
    settings: Settings = {}
    commands = list(split(words(0x0003010F, 0x00014000, 0x1234, 0xFFFF0000), COMMANDS, settings))
    assert commands == [Command(Cmd0.NPU_OP_STOP, 0xFFFF, 0, 12)]
    assert settings == {"NPU_SET_IFM_REGION": (3, 0), "NPU_SET_IFM_BASE0": (1, 0x1234)}


def test_a_command_finds_what_those_before_it_have_set() -> None:
    settings: Settings = {}
    seen = [
        (command.offset, settings["NPU_SET_IFM_REGION"])
        for command in split(words(0x0001010F, 0x0000_0002, 0x0003010F, 0x0000_0002), COMMANDS, settings)
    ]
    assert seen == [(4, (1, 0)), (12, (3, 0))]


def test_the_numbers_are_the_ones_of_velas_register_description() -> None:
    from ethosu.vela.ethos_u55_regs import ethos_u55_regs

    assert {c.name: c.value for c in Cmd0} == {c.name: c.value for c in ethos_u55_regs.cmd0}
    assert {c.name: c.value for c in Cmd1} == {c.name: c.value for c in ethos_u55_regs.cmd1}


@pytest.mark.parametrize("word", [0x00FF, 0x40FF, 0x0400, 0x8000, 0xC000, 0x2002])
def test_an_unknown_command_is_refused_with_its_offset_and_parameter(word: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        list(split(words(0x0003010F, word | 0x00070000, 0), COMMANDS, {}))
    assert caught.value.offset == 4
    assert caught.value.parameters == {"parameter": 7}
    assert f"{word:#06x}" in str(caught.value)


def test_a_stream_that_ends_inside_a_command_is_refused() -> None:
    with pytest.raises(StreamError, match=r"NPU_SET_IFM_BASE0 at stream offset 0x4: the stream ends"):
        list(split(words(0x0003010F, 0x4000), COMMANDS, {}))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        (0x0008010F, "NPU_SET_IFM_REGION"),
        (0x00400107, "NPU_SET_IFM_UPSCALE"),
        (0x00010002, "NPU_OP_CONV"),
        (0x00404024, "NPU_SET_OFM_SCALE"),
        (0x01004000, "NPU_SET_IFM_BASE0"),
        (0x00014021, "NPU_SET_WEIGHT_LENGTH"),
    ],
)
def test_parameter_bits_that_do_not_exist_are_refused(word: int, name: str) -> None:
    with pytest.raises(StreamError, match=name):
        list(split(words(word, 0), COMMANDS, {}))


def test_a_negative_stride_may_have_its_sign_extended() -> None:
    settings: Settings = {}
    assert not list(split(words(0xFFFF4015, 0xFFFFFF00), COMMANDS, settings))
    assert settings == {"NPU_SET_OFM_STRIDE_Y": (0xFFFF, 0xFFFFFF00)}
