"""The command line: reads arguments, calls the line, says what happened. No decision about the domain is made here.

One file per command. A command's file is imported when it is called, so that `rnu --help` needs no engine.
"""

from __future__ import annotations

import click

from rnu import __version__
from rnu.cli.group import LazyGroup

COMMANDS = {
    "approve": ("rnu.cli.decide:approve", "Sign exactly these bytes."),
    "attack": ("rnu.cli.attack:command", "Try to work cells out of a release or a protected table."),
    "build": ("rnu.cli.build:command", "Build a period from what is in, or try another design."),
    "check": ("rnu.cli.check:command", "Check a file against a source's rules, and keep nothing."),
    "demo": ("rnu.cli.demo:command", "The whole line on made-up people."),
    "generate": ("rnu.cli.generate:command", "Make up people and their rosters."),
    "init": ("rnu.cli.init:command", "Make an institution's folder."),
    "inspect": ("rnu.cli.inspect:command", "Look into a release's files for what tells more than its cells."),
    "key": ("rnu.cli.key:command", "Make keys."),
    "move-ledger": ("rnu.cli.move_ledger:command", "Bring the ledger's history into a database."),
    "passkey": ("rnu.cli.passkey:command", "Passkeys that stewards sign with at a desk: list, confirm."),
    "protect": ("rnu.cli.protect:command", "Protect any table of counts, with a proof."),
    "publish": ("rnu.cli.publish:command", "Show the approved releases on a portal."),
    "report": ("rnu.cli.report:command", "What was found in a source's delivery."),
    "return": ("rnu.cli.decide:send_back", "Send a release back, with a reason."),
    "review": ("rnu.cli.review:command", "Releases that wait for a steward."),
    "run": ("rnu.cli.run:command", "Do what is due for a period."),
    "serve": ("rnu.cli.serve:command", "Show a folder portal on this machine."),
    "show": ("rnu.cli.show:command", "What a release holds, and what changed since the last."),
    "verify": ("rnu.cli.verify:command", "Check the certificates of a release or a protected table."),
    "verify-portal": ("rnu.cli.verify_portal:command", "Hold what a portal serves against what was signed."),
    "worker": ("rnu.cli.worker:command", "Do what portals and stewards ask for in the ledger."),
    "status": ("rnu.cli.status:command", "Where everything stands, and what to do next."),
}


@click.group(
    "rnu",  # also the name under which CKAN's command line has it
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, prog_name="rnu")
def main() -> None:
    """From social programmes' rosters to protected, signed open data.

    \b
    Begin with:   rnu init DIR
    Then:         rnu run --period 2026-01
    Where am I:   rnu status
    """
