"""`make portal` and `make portal-stop`: bring a portal up on this machine, see how it is, end it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from deploy.native import backup, ckan, institution, machine, postgres, solr
from deploy.native.home import Home
from deploy.native.machine import Failed, Missing, folder
from deploy.native.processes import Supervisor, http_answers


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A real CKAN portal on this machine.

    \b
    Begin with:  python -m deploy.native up
    """


@main.command()
@click.option(
    "--institution",
    "origin",
    type=click.Path(path_type=Path, file_okay=False),
    default=institution.DEMO,
    help="Folder that `rnu init` made, copied the first time; without it, the demo's.",
)
def up(origin: Path) -> None:
    """Install what is missing, start every service, and return when the portal answers. The same again mends it.

    \b
    Example:
      python -m deploy.native up
    """
    bring_up(Home.of_machine(), origin=origin)


def bring_up(home: Home, *, origin: Path = institution.DEMO, saved: Path | None = None) -> None:
    """Bring a portal up in its folder, from a backup where one is given."""
    with told("packages"):
        prepare(home)
    if saved:
        with told("files"):
            backup.place_files(home, saved, backup.read(saved))
    with told("environment"):
        other_code = ckan.install(home)
    with told("solr"):
        reindex = solr.install(home)
    with told("settings"):
        postgres.make_cluster(home)
        redis(home)
        ckan.configure(home)
    supervisor = Supervisor(home)
    with told("services"):
        supervisor.begin()
        supervisor.start("postgres", lambda: postgres.answers(home))
        supervisor.start("redis", lambda: True)
        begin = supervisor.restart if reindex else supervisor.start
        begin("solr", http_answers(f"{solr.address(home)}/select?q=*:*&rows=0"))
    with told("database"):
        postgres.make_databases(home)
        if saved:
            backup.fill_databases(home, saved)
        ckan.make_tables(home)
        ckan.make_admin(home)
        ckan.make_words(home)
        if reindex or other_code or saved:
            ckan.ckan(home, "search-index", "rebuild")
    with told("institution"):
        supervisor.stop("worker")
        institution.settle(home, origin)
    with told("ckan"):
        supervisor.restart("web", http_answers(f"{home.url}/api/3/action/status_show"))
        for name in ("jobs", "harvest-gather", "harvest-fetch", "harvest-clock", "desk-clock"):
            supervisor.restart(name, lambda: True)
    with told("publish"):
        institution.publish(home)
        supervisor.restart("worker", lambda: institution.announced(home))
        institution.make_sources(home)
    tell(home)


def prepare(home: Home) -> None:
    """Packages, users, and the portal's own folder."""
    machine.install_packages()
    machine.make_users(home)
    machine.make_readers(home)
    for path in (home.root, home.root / "run", home.root / "log"):
        folder(path, home.users.owner, 0o755)


def tell(home: Home) -> None:
    """Where the portal is, and who administers it."""
    click.echo(f"\nThe portal:     {home.address}/")
    click.echo(f"Administrator:  {ckan.ADMIN}, password in {home.root / 'secrets' / 'password-admin'}")
    click.echo(f"Its folder:     {home.root} (logs in log/)")
    if not home.users.apart:
        click.echo("Without root CKAN and the worker are one user: nothing keeps CKAN from the rosters here.")
    click.echo("To end it:      make portal-stop")


@main.command("backup")
@click.argument("target", type=click.Path(path_type=Path))
def back_up(target: Path) -> None:
    """Write all that cannot be made again into the new folder TARGET: databases, files, rosters, keys.

    \b
    Example:
      python -m deploy.native backup /srv/respaldos/2026-03-01
    """
    with told("backup"):
        record = backup.backup(Home.of_machine(), target.absolute())
    click.echo(
        f"{target}: {len(record.files)} files. It holds rosters and keys: keep it encrypted, on another machine."
    )


@main.command()
@click.argument("source", type=click.Path(path_type=Path, file_okay=False, exists=True))
def restore(source: Path) -> None:
    """Bring a portal up from the backup SOURCE, in a folder that holds none yet.

    \b
    Example:
      python -m deploy.native restore /srv/respaldos/2026-03-01
    """
    bring_up(Home.of_machine(), saved=source.absolute())


def redis(home: Home) -> None:
    """Its settings: loopback, its own folder, nothing but what CKAN needs."""
    root = folder(home.root / "redis", home.users.web, 0o700)
    lines = [
        "bind 127.0.0.1",
        f"port {home.port('redis')}",
        f"dir {root}",
        "daemonize no",
        "save 60 1",
        "appendonly no",
    ]
    (root / "redis.conf").write_text("\n".join(lines) + "\n")
    (root / "redis.conf").chmod(0o644)


@main.command()
def tools() -> None:
    """Install what a portal and its tests need of Debian: what `up` needs, a browser, nginx, docker-compose.

    \b
    Example:
      python -m deploy.native tools
    """
    with told("tools"):
        machine.install_packages(machine.NEEDED | machine.FOR_TESTS)


@main.command()
def status() -> None:
    """What runs.

    \b
    Example:
      python -m deploy.native status
    """
    supervisor = Supervisor(Home.of_machine())
    if not supervisor.file.exists() or not supervisor.runs():
        click.echo("Nothing runs.")
        sys.exit(3)
    for name, state in supervisor.states().items():
        click.echo(f"{name:10} {state}")


@main.command()
def stop() -> None:
    """End what `up` started, and nothing else.

    \b
    Example:
      python -m deploy.native stop
    """
    supervisor = Supervisor(Home.of_machine())
    if supervisor.file.exists():
        try:
            supervisor.end()
        except Failed as error:
            click.echo(f"Failed: {error}\n  -> is another command stopping it too? Look with: status", err=True)
            sys.exit(1)
    click.echo("The portal is stopped; its data stay.")


@contextmanager
def told(step: str) -> Iterator[None]:
    """A line for each step with its time; a failure in plain words."""
    began = time.perf_counter()
    click.echo(f"{step:14}", nl=False)
    try:
        yield
    except (Failed, Missing) as error:
        click.echo("")
        click.echo(f"{type(error).__name__}: {error}", err=True)
        sys.exit(1)
    click.echo(f"{time.perf_counter() - began:6.1f} s")


if __name__ == "__main__":
    main()
