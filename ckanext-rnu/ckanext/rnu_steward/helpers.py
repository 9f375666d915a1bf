"""What the desk's pages ask for: values in words."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from ckan.plugins import toolkit

from rnu.publish import words
from rnu.rule import in_words

STATES = {
    "waiting": "espera una decisión",
    "approved": "aprobada",
    "returned": "devuelta",
    "accepted": "recibida",
    "missing": "no llegó",
    "open": "en espera",
    "taken": "en proceso",
    "done": "hecho",
    "refused": "no se aceptó",
    "failed": "falló",
}
KINDS = {
    "harvest": "Cosechar",
    "build": "Construir",
    "approve": "Aprobar",
    "return": "Devolver",
    "passkey": "Registrar una llave",
    "publish": "Publicar",
}


def rnu_desk_state(state: str) -> str:
    """A state in words."""
    return STATES.get(state, state)


def rnu_desk_kind(kind: str) -> str:
    """What a request asks for, in words."""
    return KINDS.get(kind, kind)


def rnu_desk_moment(at: str) -> str:
    """A stamp of the ledger as the portal's clocks show it: 1 de febrero de 2026, 09:05."""
    local = datetime.fromisoformat(at).astimezone(ZoneInfo(toolkit.config["ckan.display_timezone"]))
    return f"{words.day(local.date())}, {local:%H:%M}"


def rnu_desk_period(period: str) -> str:
    """2026-01 as `enero de 2026`; what is no period, as it stands."""
    return words.month_of(period)


def rnu_desk_total(value: object) -> str:
    """A published total: a number, what its mark says, or that it was not there."""
    marks = {"c": "reservado", "d": "no desagregado", "n": "no entregado", None: "no estaba"}
    return words.number(value) if isinstance(value, int) else marks.get(value, str(value))  # type: ignore[call-overload]


def rnu_desk_share(share: float | None, digits: int = 1) -> str:
    """A share in percent, with its sign left to the reader of a change."""
    return "—" if share is None else f"{100 * share:.{digits}f}".replace(".", ",") + f"{words.THIN}%"


def rnu_desk_rule(rule: str) -> str:
    """A broken rule in words."""
    name, _, detail = rule.partition(" ")
    return in_words(name, detail)


def rnu_desk_asker(name: str) -> str:
    """The account that asked for something, or what did so by itself."""
    if name.startswith("ckan harvest "):
        return "una fuente, al cosechar"
    return "el sistema, por sí solo" if name == "rnu worker" else name


def rnu_desk_of_asked(what: dict[str, str]) -> str:
    """What a request is about."""
    period = words.month_of(what.get("period", ""))
    about = [what.get("source", ""), period, what.get("digest", "")[:12], what.get("steward", "")]
    return " · ".join(word for word in about if word)


def rnu_desk_bar(by: int | None, largest: int, width: int = 100) -> int:
    """How long a change's bar is, of half the chart's width."""
    return round(width * abs(by or 0) / largest) if largest else 0
