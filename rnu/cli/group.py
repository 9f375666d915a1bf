"""A group of commands that are imported when they are called, and whose errors are two lines and an exit code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from rnu.errors import RnuError, unexpected


class LazyGroup(click.Group):
    """Knows its commands by name, place (`module:attribute`) and short help.

    What is unexpected never shows a value: only where it happened.
    """

    def __init__(self, *given: Any, lazy: Mapping[str, tuple[str, str]], **named: Any) -> None:
        super().__init__(*given, **named)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        del ctx
        return sorted(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self.lazy:
            return None
        module, attribute = self.lazy[cmd_name][0].split(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in the help, without importing one of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.lazy[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a mistyped one is told with what comes near it."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.lazy, ctx=ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except RnuError as error:
            _complain(ctx, error)
            ctx.exit(error.exit_code)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("RNU_TRACEBACK"):
                raise
            _complain(ctx, unexpected(error))
            ctx.exit(70)


def _complain(ctx: click.Context, error: RnuError) -> None:
    if ctx.meta.get("rnu.json"):
        click.echo(json.dumps({"error": error.as_json()}, ensure_ascii=False))
    else:
        click.echo(f"{type(error).__name__}: {error}", err=True)
