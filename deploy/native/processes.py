"""The portal's processes, under supervisord: what runs, as whom, in which order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from deploy.native.home import CHECKOUT, Home
from deploy.native.machine import Failed, postgres_program, run, trusted

UP_WITHIN = 120  # seconds for a service to answer


@dataclass(frozen=True, slots=True)
class Process:
    """One program that supervisord keeps running."""

    name: str
    command: Sequence[str]
    user: str
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    stop: str = "TERM"


def processes(home: Home) -> tuple[Process, ...]:
    """All of them, in the order in which they are started."""
    root, users = home.root, home.users
    ckan = {"CKAN_INI": str(home.ini), "HOME": str(root / "ckan")}
    solr_home = root / "solr" / "home"
    return (
        Process(
            "postgres",
            [postgres_program("postgres"), "-D", str(root / "postgres" / "data")],
            users.postgres,
            stop="INT",
        ),
        Process(
            "redis",
            ["redis-server", str(root / "redis" / "redis.conf")],
            users.web,
        ),
        Process(
            "solr",
            [
                "java", "-Xmx512m", f"-Dsolr.solr.home={solr_home}", f"-Dsolr.log.dir={root / 'log' / 'solr'}",
                "-cp", f"{root / 'solr' / 'lib'}/*", str(root / "solr" / "Launcher.java"), str(home.port("solr")),
            ],
            users.web,
        ),
        Process(
            "web",
            [
                home.program("gunicorn"), "--workers", "3", "--threads", "4", "--timeout", "120",
                "--bind", f"127.0.0.1:{home.port('web')}", "--access-logfile", "-", "deploy.wsgi:application",
            ],
            users.web,
            {**ckan, "PYTHONPATH": str(root / "code")},
        ),
        Process("jobs", [home.program("ckan"), "jobs", "worker"], users.web, ckan),
        *(
            Process(f"harvest-{part}", [home.program("ckan"), "rnu-harvest", part], users.web, ckan)
            for part in ("gather", "fetch", "clock")
        ),
        Process("desk-clock", [home.program("ckan"), "rnu-desk", "clock"], users.web, ckan),
        Process(
            "worker",
            [home.program("rnu"), "worker", "--home", str(home.institution)],
            users.worker,
            {
                "HOME": str(home.institution),
                "RNU_SIGNING_KEY_FILE": str(home.institution / "secrets" / "builder.pem"),
                "PYTHONUNBUFFERED": "1",
            },
        ),
    )  # fmt: skip


def configuration(home: Home, wanted: Sequence[Process]) -> str:
    """supervisord.conf."""
    root = home.root
    lines = [
        "[unix_http_server]",
        f"file={root}/run/supervisor.sock",
        "chmod=0700",
        "[supervisord]",
        f"logfile={root}/log/supervisord.log",
        f"pidfile={root}/run/supervisord.pid",
        f"childlogdir={root}/log",
        *(["user=root"] if os.geteuid() == 0 else []),
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[supervisorctl]",
        f"serverurl=unix://{root}/run/supervisor.sock",
    ]
    for order, process in enumerate(wanted, start=1):
        usual = {"LANG": "C.UTF-8", "PATH": f"{home.venv}/bin:/usr/local/bin:/usr/bin:/bin", **trusted()}
        settings = usual | process.environment
        environment = ",".join(f'{name}="{value}"' for name, value in settings.items())
        lines += [
            f"[program:{process.name}]",
            f"command={' '.join(process.command)}",
            f"directory={process.folder}",
            f"environment={environment}",
            f"priority={order}",
            "autostart=false",
            "autorestart=true",
            "startsecs=2",
            "startretries=20",  # what a process needs may be restarting, too
            f"stopsignal={process.stop}",
            "stopwaitsecs=30",
            "stopasgroup=true" if process.stop == "TERM" else "stopasgroup=false",
            "killasgroup=true",
            f"stdout_logfile={root}/log/{process.name}.log",
            "redirect_stderr=true",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=3",
            *([f"user={process.user}"] if os.geteuid() == 0 else []),
        ]
    return "\n".join(lines).replace("%", "%%") + "\n"


class Supervisor:
    """supervisord, spoken to through its own command."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.file = home.root / "supervisord.conf"

    def begin(self) -> None:
        """Start supervisord, or let the one that runs read its configuration again."""
        wanted = configuration(self.home, processes(self.home))
        changed = not self.file.exists() or self.file.read_text() != wanted
        self.file.write_text(wanted)
        if not self.runs():
            run([self.home.program("supervisord"), "-c", str(self.file)], cwd=CHECKOUT)
        elif changed:
            self._tell("update")

    def runs(self) -> bool:
        """Whether supervisord is there."""
        try:
            self._tell("pid")
        except Failed:
            return False
        return True

    def start(self, name: str, answers: Callable[[], bool]) -> None:
        """Start a process unless it runs, and wait until it answers; Failed shows the end of its log."""
        if "RUNNING" not in self.states().get(name, ""):
            try:
                self._tell("start", name)
            except Failed as error:  # such as a port that is taken
                raise Failed(
                    f"{name} does not start; its log {self._log(name)} ends with:\n{self._tail(name)}"
                ) from error
        deadline = time.monotonic() + UP_WITHIN
        while not answers():
            if time.monotonic() > deadline or "FATAL" in self.states().get(name, ""):
                raise Failed(f"{name} does not answer; its log {self._log(name)} ends with:\n{self._tail(name)}")
            time.sleep(0.3)

    def restart(self, name: str, answers: Callable[[], bool]) -> None:
        """Start a process afresh."""
        self.stop(name)
        self.start(name, answers)

    def stop(self, name: str) -> None:
        """End a process, if it runs."""
        if "RUNNING" in self.states().get(name, ""):
            self._tell("stop", name)

    def states(self) -> dict[str, str]:
        """What supervisord says of each process."""
        try:
            said = self._tell("status")
        except Failed as error:  # it ends with 3 where a process does not run, and says the states all the same
            said = str(error)
        return {words[0]: words[1] for line in said.splitlines() if len(words := line.split()) > 1}

    def end(self) -> None:
        """Stop all processes, last first, and supervisord itself."""
        if not self.runs():
            return
        for process in reversed(processes(self.home)):
            self.stop(process.name)
        self._tell("shutdown")
        deadline = time.monotonic() + UP_WITHIN
        while self.runs() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _tell(self, *words: str) -> str:
        return run([self.home.program("supervisorctl"), "-c", str(self.file), *words])

    def _log(self, name: str) -> Path:
        return self.home.root / "log" / f"{name}.log"

    def _tail(self, name: str) -> str:
        path = self._log(name)
        return "\n".join(path.read_text(errors="replace").splitlines()[-15:]) if path.exists() else "(nothing)"


def http_answers(url: str) -> Callable[[], bool]:
    """Whether an address answers with success."""

    def asked() -> bool:
        try:
            with urlopen(url, timeout=20) as answer:  # noqa: S310 loopback
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    return asked
