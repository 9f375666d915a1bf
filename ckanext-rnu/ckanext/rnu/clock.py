"""Doing something in CKAN again and again, for as long as a process lives."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NoReturn

from ckan import model
from ckan.types import CKANApp

log = logging.getLogger(__name__)


def again_and_again(
    app: CKANApp, look: Callable[[], object], every: float, *, away: tuple[type[Exception], ...]
) -> NoReturn:
    """Look, and after some seconds again. What is away for a moment is told in the log, and asked at the next look."""
    while True:
        with app.test_request_context():
            try:
                look()
            except away as error:
                log.warning("%s: not this time, %s", look.__name__, type(error).__name__)
            finally:
                model.Session.remove()
        time.sleep(every)
