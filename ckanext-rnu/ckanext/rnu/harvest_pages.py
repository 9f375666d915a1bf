"""What a steward sees of a delivery, in a job's report and whole for its owner; and that looking changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from operator import itemgetter
from typing import Any

from ckan.plugins import toolkit
from ckan.types import Response
from ckanext.harvest import utils as harvest
from ckanext.harvest.model import HarvestObject
from ckanext.rnu import institution
from flask import Blueprint

from rnu import announcement
from rnu.announcement import KnownSource
from rnu.errors import RnuError
from rnu.rule import in_words

roster = Blueprint("rnu_roster", __name__)
SHOWN = 24  # deliveries on a source's page
STATES = {
    "new": "Recibida",
    "unchanged": "Sin cambios desde la última vez",
    "returned": "Devuelta a su responsable",
}
COUNTS = {
    "added": "nuevas",
    "updated": "corregidas",
    "not modified": "sin cambios",
    "errored": "con errores",
    "deleted": "borradas",
}
FREQUENCIES = {
    "MANUAL": "Solo cuando alguien la pide",
    "MONTHLY": "Cada mes",
    "WEEKLY": "Cada semana",
    "BIWEEKLY": "Cada dos semanas",
    "DAILY": "Cada día",
    "ALWAYS": "Sin pausa",
}
# views of ckanext-harvest (1.6.3) that change something, and do so for whoever follows a link
CHANGING = ("harvester.refresh", "harvester.clear", "harvester.delete", "harvester.job_abort")


def get_blueprints() -> list[Blueprint]:
    """The owner's report, and how sources change."""
    return [roster]


def get_helpers() -> dict[str, Any]:
    """What templates ask for."""
    return {
        "rnu_deliveries": rnu_deliveries,
        "rnu_latest_deliveries": rnu_latest_deliveries,
        "rnu_counts": rnu_counts,
        "rnu_sources": rnu_sources,
        "rnu_frequencies": rnu_frequencies,
        "rnu_rule": in_words,
        "humanize_entity_type": humanize_entity_type,
    }


@roster.before_app_request
def change_by_form_alone() -> None:
    """Refuse to harvest, clear, stop or delete by a mere link: another site could lead a steward to it.

    A form carries its token, which `guard` asks for.
    """
    if toolkit.request.endpoint in CHANGING and toolkit.request.method != "POST":
        toolkit.abort(405)


@roster.post("/harvest/<source>/job/<id>/abort")
def stop(source: str, id: str) -> Response:
    """Stop a job: ckanext-harvest itself takes a link alone. Deleting by a form is CKAN's own, as of any dataset."""
    return harvest.job_abort_view(source, id)


@roster.route("/harvest/entrega/<id>")
def report(id: str) -> str:
    """What the owner of a roster must mend: rules, counts and row numbers, never a value."""
    try:
        toolkit.check_access("harvest_object_show", {"user": toolkit.current_user.name}, {"id": id})
    except toolkit.ObjectNotFound:
        return toolkit.abort(404, "No hay tal entrega.")
    except toolkit.NotAuthorized:
        return toolkit.abort(403, "Este informe es para quienes administran la fuente.")
    found = HarvestObject.get(id)
    told = _told(found)
    page: str = toolkit.render(
        "rnu/entrega.html", {"delivery": told, "source": _source(told), "rows": _rows(told), "object": found}
    )
    return page


def rnu_deliveries(job_id: str) -> list[dict[str, Any]]:
    """What a job brought: counts and broken rules of each delivery."""
    return [_told(found) for found in HarvestObject.filter(harvest_job_id=job_id).all()]


def rnu_latest_deliveries(source_id: str) -> list[dict[str, Any]]:
    """A source's latest deliveries, the newest first."""
    newest = HarvestObject.filter(harvest_source_id=source_id).order_by(HarvestObject.gathered.desc())
    return [_told(found) for found in newest.limit(SHOWN).all()]


def rnu_counts(job: dict[str, Any]) -> str:
    """What became of a job's deliveries, in words; empty as long as nothing did."""
    stats = job.get("stats") or {}
    return ", ".join(f"{word}: {stats[kind]}" for kind, word in COUNTS.items() if stats.get(kind))


def rnu_sources() -> list[KnownSource]:
    """The rosters that can be asked for; none while the ledger does not answer."""
    try:
        return list(announcement.announced(institution.ledger()).sources)
    except RnuError:
        return []


def rnu_frequencies() -> dict[str, str]:
    """How often a source may be harvested, in words."""
    return FREQUENCIES


@toolkit.chained_helper
def humanize_entity_type(original: Callable[..., str | None], entity: str, kind: str, purpose: str) -> str | None:
    """A source is called one in streams of activity, too."""
    return "fuente" if (kind, purpose) == ("harvest", "activity_record") else original(entity, kind, purpose)


def _told(found: HarvestObject) -> dict[str, Any]:
    """What the worker told of an object, and what CKAN itself knows of it."""
    facts = json.loads(found.content or "{}")
    return {
        **facts,
        "id": found.id,
        "open": found.state not in ("COMPLETE", "ERROR"),
        "asked": found.gathered,
        "title": found.source.title,
        "state": STATES.get(facts.get("state", ""), ""),
    }


def _source(told: dict[str, Any]) -> KnownSource | None:
    return announcement.announced(institution.ledger()).source(told.get("source", ""))


def _rows(told: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, list[int]]]:
    """By rule and file, the first rows that broke it: only while the ledger's latest intake is of these very bytes."""
    intake = institution.ledger().intakes(told.get("period", "")).get(told.get("source", ""))
    if intake is None or intake.digest != told.get("digest"):
        return {}
    check = intake.report.get("check", {})
    return {
        (broken["field"], broken["rule"], broken["detail"]): {
            file: [row for _, row in found] for file, found in groupby(broken["first"], key=itemgetter(0))
        }
        for broken in (*check.get("header", ()), *check.get("broken", ()))
    }
