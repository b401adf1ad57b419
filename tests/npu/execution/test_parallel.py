import threading

import pytest

from deploy.npu.execution import parallel


def test_every_item_is_visited_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for workers in (1, 3):
        monkeypatch.setattr(parallel, "_WORKERS", workers)
        seen, lock = [], threading.Lock()

        def visit(item: int, seen: list[int] = seen, lock: threading.Lock = lock) -> None:
            with lock:
                seen.append(item)

        parallel.for_each(visit, range(10))
        assert sorted(seen) == list(range(10))


def test_an_error_of_any_step_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_WORKERS", 2)
    for bad in (0, 1, 5):

        def step(item: int, bad: int = bad) -> None:
            if item == bad:
                raise ValueError(f"step {item}")

        with pytest.raises(ValueError, match=f"step {bad}"):
            parallel.for_each(step, range(6))


def test_blas_gets_its_threads_back() -> None:
    library = parallel._openblas()
    if library is None:
        pytest.skip("NumPy has no OpenBLAS of its own here")
    before = library.scipy_openblas_get_num_threads64_()
    with pytest.raises(RuntimeError), parallel.one_blas_thread():
        assert library.scipy_openblas_get_num_threads64_() == 1
        raise RuntimeError
    assert library.scipy_openblas_get_num_threads64_() == before
