"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from rnu import secrets

Command = TypeVar("Command", bound=Callable[..., Any])


def home_option(command: Command) -> Command:
    """The institution's folder."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        default=".",
        envvar="RNU_HOME",
        show_default=True,
        help="The institution's folder [env: RNU_HOME].",
    )(command)


def json_option(command: Command) -> Command:
    """Machines read JSON."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta["rnu.json"] = value
        return value

    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, expose_value=True, callback=remember, help="Print JSON."
    )(command)


def key_option(command: Command) -> Command:
    """A steward's signing key."""
    return click.option(
        "--key",
        "key_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"Your signing key [env: {secrets.SIGNING_FILE_ENV}].",
    )(command)
