"""Processes that work side by side, and end with the one that began them."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process
from threading import Thread


def pool(cores: int | None = None, ready: Callable[..., None] | None = None, *given: object) -> ProcessPoolExecutor:
    """Workers on so many cores, all by default; `ready` is called in each of them with what is given to all.

    Spawned, not forked: the threads of engines and solvers do not survive a fork.
    """
    return ProcessPoolExecutor(
        cores or os.cpu_count(), mp_context=get_context("spawn"), initializer=_begin, initargs=(ready, given)
    )


def _begin(ready: Callable[..., None] | None, given: tuple[object, ...]) -> None:
    Thread(target=_end_with_the_run, daemon=True).start()
    if ready is not None:
        ready(*given)


def _end_with_the_run() -> None:
    """A worker whose run is killed would wait for work, and keep its memory, for ever."""
    run = parent_process()
    if run is not None:
        run.join()
        os._exit(1)
