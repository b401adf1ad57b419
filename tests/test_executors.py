"""Jobs end once, in bounded time."""

import time

import pytest

from deploy.errors import TargetError
from deploy.executors import gather, local_workers


def square(number: int) -> int:
    return number * number


def failing() -> None:
    raise ZeroDivisionError("a defect")


def test_every_job_is_yielded_once() -> None:
    with local_workers(3) as workers:
        futures = {workers.executor.submit(square, number): number for number in range(50)}
        found = list(gather(workers, futures, limit_s=30))
    assert sorted(found) == [(number, number * number) for number in range(50)]


def test_jobs_that_never_end_are_given_up() -> None:
    with local_workers(1) as workers:
        futures = {workers.executor.submit(time.sleep, 3): 0}
        with pytest.raises(TargetError, match=r"no job ended within 0\.6 s"):
            list(gather(workers, futures, limit_s=0.6))


def test_a_job_that_raises_is_an_error_that_names_the_workers() -> None:
    with local_workers(1) as workers:
        futures = {workers.executor.submit(failing): 0}
        with pytest.raises(TargetError, match="1 local worker: a job failed: ZeroDivisionError: a defect"):
            list(gather(workers, futures, limit_s=30))
