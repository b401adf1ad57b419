"""The instruction set of Ethos-U85: each kind of operation with how it is read, computed and timed.

What U55 and U65 have in common with it stands in modules without a family in
their name; what is its own beside those of :mod:`deploy.npu.u55`.
"""

from __future__ import annotations

from functools import partial

from deploy.npu.core.resize import translate_resize
from deploy.npu.core.rows_transfer import translate_rows_transfer
from deploy.npu.core.u85_convolution import translate_u85_convolution
from deploy.npu.core.u85_elementwise import translate_u85_elementwise
from deploy.npu.core.u85_pooling import translate_u85_pooling
from deploy.npu.core.u85_weights import u85_order
from deploy.npu.core.weights import Packing
from deploy.npu.execution.resize import resize
from deploy.npu.execution.rows_dma import copy_rows
from deploy.npu.execution.u85_convolution import convolve_u85
from deploy.npu.execution.u85_elementwise import elementwise
from deploy.npu.execution.u85_pooling import pool
from deploy.npu.instruction_set import InstructionSet, Kind
from deploy.npu.stream.u85_commands import COMMANDS, Cmd0, Cmd1
from deploy.npu.stream.u85_operations import (
    ResizeOperation,
    RowsDmaOperation,
    U85ConvolutionOperation,
    U85ElementwiseOperation,
    U85PoolingOperation,
)
from deploy.npu.stream.u85_readers import (
    read_convolution,
    read_dma,
    read_elementwise,
    read_pooling,
    read_resize,
)
from deploy.npu.stream.u85_registers import U85RegisterValues
from deploy.npu.timing.u85_cycles import dma_time, mac_time, output_time
from deploy.npu.weights.u85_layout import unpack, unpack_scales

_PACK = Packing(u85_order)
_KINDS = (
    Kind(
        U85ConvolutionOperation,
        (Cmd0.NPU_OP_CONV, Cmd0.NPU_OP_DEPTHWISE),
        read=read_convolution,
        execute=partial(convolve_u85, unpack=unpack),
        translate=partial(translate_u85_convolution, pack=_PACK),
        time=mac_time,
        pack=_PACK,
        scales=unpack_scales,
    ),
    Kind(
        U85PoolingOperation,
        (Cmd0.NPU_OP_POOL,),
        read=read_pooling,
        execute=pool,
        translate=translate_u85_pooling,
        time=mac_time,
    ),
    Kind(
        U85ElementwiseOperation,
        (Cmd0.NPU_OP_ELEMENTWISE,),
        read=read_elementwise,
        execute=elementwise,
        translate=translate_u85_elementwise,
        time=output_time,
    ),
    Kind(
        ResizeOperation,
        (Cmd0.NPU_OP_RESIZE,),
        read=read_resize,
        execute=resize,
        translate=translate_resize,
        time=output_time,
    ),
    Kind(
        RowsDmaOperation,
        (Cmd0.NPU_OP_DMA_START,),
        read=read_dma,
        execute=copy_rows,
        translate=translate_rows_transfer,
        time=dma_time,
    ),
)

U85 = InstructionSet(
    commands=COMMANDS,
    registers=U85RegisterValues,
    kinds=_KINDS,
    stop=Cmd0.NPU_OP_STOP,
    ignored=(Cmd0.NPU_OP_DMA_WAIT, Cmd0.NPU_OP_KERNEL_WAIT, Cmd0.NPU_OP_PMU_MASK, Cmd0.NPU_OP_IRQ),
    refused={Cmd1.NPU_OP_BRANCH.name: "a branch"},  # no source describes its condition
)
