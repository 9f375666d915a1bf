"""What a command says: lines for a person, JSON for a machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import click


def emit(as_json: bool, value: object, lines: Callable[[], list[str]]) -> None:
    """Print a value as JSON, or its lines."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, indent=1, default=_plain))
    else:
        click.echo("\n".join(lines()))


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return str(value)
