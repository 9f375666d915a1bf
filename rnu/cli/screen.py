"""Steps as they go, on the screen."""

from __future__ import annotations

import click
from rich.console import Console

from rnu.pipeline import Step

WIDTH = 18  # of the subject's column


class Screen:
    """Tells steps as they go: a line each when they end, the one at work in between on a terminal."""

    def __init__(self, as_json: bool) -> None:
        self.steps: list[Step] = []
        self._quiet = as_json
        self._console = Console(stderr=True)
        self._status = None if as_json or not self._console.is_terminal else self._console.status("")

    def __enter__(self) -> Screen:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, step: Step) -> None:
        """Tell one step."""
        if step.began:
            if self._status:
                self._status.update(f"{step.name} {step.subject}")
            return
        self.steps.append(step)
        if not self._quiet:
            click.echo(line(step))


def line(step: Step) -> str:
    """A step as one line.

    >>> line(Step("check", "sis", 1.25, {"rows": 160000, "set_aside": 41}))
    'check      sis                  1.2 s  rows 160,000 · set aside 41'
    """
    if step.problem:
        return f"{'problem':10} {step.subject:{WIDTH}} {step.problem}"
    facts = " · ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in step.facts.items())
    return f"{step.name:10} {step.subject:{WIDTH}} {step.seconds:5.1f} s  {facts}".rstrip()


def _number(value: int | float | str) -> str:
    if isinstance(value, str):
        return value[:16] if len(value) == 64 else value
    return f"{value:,}"
