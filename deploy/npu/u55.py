"""The instruction set of Ethos-U55 and U65: each kind of operation with how it is read, computed and timed.

Another family's table stands beside this one, with its commands and registers in :mod:`deploy.npu.stream`; the
architecture (:mod:`deploy.npu.architecture`) says which NPU has which.
"""

from __future__ import annotations

from functools import partial

from deploy.npu.core.convolution import translate_convolution
from deploy.npu.core.elementwise import translate_elementwise
from deploy.npu.core.pooling import translate_pooling
from deploy.npu.core.transfer import translate_transfer
from deploy.npu.core.u55_weights import u55_order
from deploy.npu.core.weights import Packing
from deploy.npu.execution.convolution import convolve
from deploy.npu.execution.dma import copy
from deploy.npu.execution.u55_elementwise import elementwise
from deploy.npu.execution.u55_pooling import pool
from deploy.npu.instruction_set import InstructionSet, Kind
from deploy.npu.stream.convolution import ConvolutionOperation
from deploy.npu.stream.dma import DmaOperation
from deploy.npu.stream.pooling import PoolingOperation
from deploy.npu.stream.u55_commands import COMMANDS, Cmd0
from deploy.npu.stream.u55_operations import (
    U55ElementwiseOperation,
    read_convolution,
    read_dma,
    read_elementwise,
    read_pooling,
)
from deploy.npu.stream.u55_registers import U55RegisterValues
from deploy.npu.timing.cycles import convolution_time, dma_time, elementwise_time, pooling_time
from deploy.npu.weights.u55_layout import unpack, unpack_scales

_PACK = Packing(u55_order)
_KINDS = (
    Kind(
        ConvolutionOperation,
        (Cmd0.NPU_OP_CONV, Cmd0.NPU_OP_DEPTHWISE),
        read=read_convolution,
        execute=partial(convolve, unpack=unpack),
        translate=partial(translate_convolution, pack=_PACK),
        time=convolution_time,
        pack=_PACK,
        scales=unpack_scales,
    ),
    Kind(
        PoolingOperation,
        (Cmd0.NPU_OP_POOL,),
        read=read_pooling,
        execute=pool,
        translate=translate_pooling,
        time=pooling_time,
    ),
    Kind(
        U55ElementwiseOperation,
        (Cmd0.NPU_OP_ELEMENTWISE,),
        read=read_elementwise,
        execute=elementwise,
        translate=translate_elementwise,
        time=elementwise_time,
    ),
    Kind(
        DmaOperation,
        (Cmd0.NPU_OP_DMA_START,),
        read=read_dma,
        execute=copy,
        translate=translate_transfer,
        time=dma_time,
    ),
)

U55 = InstructionSet(
    commands=COMMANDS,
    registers=U55RegisterValues,
    kinds=_KINDS,
    stop=Cmd0.NPU_OP_STOP,
    ignored=(Cmd0.NPU_OP_DMA_WAIT, Cmd0.NPU_OP_KERNEL_WAIT, Cmd0.NPU_OP_PMU_MASK, Cmd0.NPU_OP_IRQ),
)
