"""NPU_OP_POOL of Ethos-U55 and U65: maximum, average and the sum over channels."""

from __future__ import annotations

from deploy.npu.errors import UnsupportedError
from deploy.npu.execution import pooling
from deploy.npu.execution.windows import counts_inside
from deploy.npu.execution.workspace import Workspace
from deploy.npu.stream.operations import Scale
from deploy.npu.stream.pooling import PoolingMode, PoolingOperation

RECIPROCAL = pooling.Reciprocal(31, up=False)


def pool(operation: PoolingOperation, workspace: Workspace) -> None:
    """Execute a pooling operation.

    Average: sum times OFM_SCALE; with padding the sum is divided by the number of elements inside the IFM.

    Raises:
        MemoryAccessError: a feature map lies outside its region.
        UnsupportedError: a combination that is not modelled.
    """
    pooling.pool(operation, workspace, _divisor)


def divides(operation: PoolingOperation) -> bool:
    """Whether a sum is divided by how many kernel elements lie inside the IFM; else the scale says it all.

    Raises:
        UnsupportedError: a scale that is not modelled.
    """
    if operation.mode is not PoolingMode.AVERAGE or not operation.padding.any:
        if operation.scale is None:
            raise UnsupportedError("a sum or an unpadded average with one scale per channel")
        return False
    if operation.scale not in (None, Scale(1, 0)):
        raise UnsupportedError("a padded average with a scale", parameters={"OFM_SCALE": operation.scale})
    return True


def _divisor(operation: PoolingOperation) -> pooling.Divisor | None:
    if not divides(operation):
        return None
    counts = counts_inside(operation.kernel, operation.padding, operation.ofm)
    return pooling.divisor_of(counts, RECIPROCAL)
