"""NPU_OP_POOL of Ethos-U55 and U65: maximum, average and the sum over channels."""

from __future__ import annotations

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import pooling
from deploy.npu.execution.pooling import EXTREMES, Reciprocal
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation


def pool(operation: PoolingOperation, workspace: Workspace) -> None:
    """Execute a pooling operation.

    Average: sum times OFM_SCALE; with padding the sum is divided by the number of elements inside the IFM.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    pooling.pool(operation, workspace, reciprocal_of(operation))


def reciprocal_of(operation: PoolingOperation) -> Reciprocal | None:
    """How it is divided by how many kernel elements lie inside the IFM; None where the scale says it all.

    Raises:
        UnsupportedError: a scale that is not modelled.
    """
    if operation.mode in EXTREMES:
        return None
    if operation.mode is not PoolingMode.AVERAGE or not operation.padding.any:
        if operation.scale is None:
            raise UnsupportedError("a sum or an unpadded average with one scale per channel")
        return None
    if operation.scale not in (None, Scale(1, 0)):
        raise UnsupportedError("a padded average with a scale", parameters={"OFM_SCALE": operation.scale})
    return Reciprocal(31, up=False)
