"""What templates ask for: values of a dataset, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from ckan.lib import helpers as ckan_helpers
from ckan.plugins import toolkit
from ckanext.rnu import facets, preview

from rnu.publish import words
from rnu.publish.site import MARK_WORDS
from rnu.release.columns import LEVEL_TITLES

Node = dict[str, Any]


def rnu_parsed(value: str | None) -> Any:
    """A field that holds JSON; nothing where it is empty or none."""
    try:
        return json.loads(value or "null")
    except ValueError:
        return None


def rnu_levels(package: Node) -> list[Node]:
    """The resources of a dataset by level: {title, alias, series, release}, from the nation down."""
    found = []
    for level, title in LEVEL_TITLES.items():
        own = [r for r in package.get("resources", []) if r.get("rnu_nivel") == level]
        series = next((r for r in own if r.get("rnu_papel") == "serie"), None)
        if series:
            release = [r for r in own if r.get("rnu_papel") == "publicacion"]
            found.append({"id": level, "title": title, "series": series, "release": release})
    return found


def rnu_datasets() -> list[Node]:
    """All datasets that hold releases, by title."""
    asked = {"fq": "extras_rnu_cuadro:*", "rows": 100, "sort": "title_string asc"}
    found: list[Node] = toolkit.get_action("package_search")({}, asked)["results"]
    return found


def rnu_month(period: str) -> str:
    """2026-01 as `enero de 2026`."""
    return words.month_of(period)


def rnu_day(day: str) -> str:
    """2026-01-31 as `31 de enero de 2026`."""
    return words.day(date.fromisoformat(day[:10]))


@toolkit.chained_helper
def render_datetime(original: Callable[..., str], at: Any, date_format: str | None = None, **how: bool) -> str:
    """CKAN's dates as Peruvians write them, by the portal's clock: 1 de febrero de 2026, 09:05."""
    if date_format:
        return original(at, date_format=date_format)
    stamp = original(at, date_format="%Y-%m-%dT%H:%M:%S")
    if not stamp:
        return ""
    local = datetime.fromisoformat(stamp)
    clock = "%H:%M:%S" if how.get("with_seconds") else "%H:%M" if how.get("with_hours") else ""
    return f"{words.day(local.date())}, {local:{clock}}" if clock else words.day(local.date())


def rnu_size(count: Any) -> str:
    """A file's size."""
    return words.size(int(count or 0))


def rnu_figure(value: object) -> str:
    """A number of a report, or the text that stands in its place."""
    return words.figure(value)


def rnu_level_title(level: str) -> str:
    """A level as people call it."""
    return LEVEL_TITLES.get(level, level)


def rnu_facet_items(name: str, search_facets: Node) -> list[Node]:
    """What a search can be narrowed by, in an order that people expect; as many as CKAN shows, or all if asked."""
    items = facets.ordered(name, ckan_helpers.get_facet_items_dict(name, search_facets, limit=0))
    limit = ckan_helpers.get_param_int(f"_{name}_limit", toolkit.config["search.facets.default"])
    return items[:limit] if limit else items


def rnu_preview(resource: Node, package: Node) -> preview.Preview | None:
    """The page of a resource's table that a visitor asked for; nothing where its table cannot be read."""
    search = toolkit.get_action("datastore_search")
    try:
        return preview.preview(resource, package, toolkit.request.args, lambda asked: search({}, asked))
    except (toolkit.ObjectNotFound, toolkit.ValidationError):
        return None


def rnu_fields(resource: Node) -> list[Node]:
    """The columns of a resource's table, with their values in words."""
    return preview.fields(resource)


def rnu_page(package: Node, resource: Node, number: int) -> str:
    """The address of a resource's page with another page of its table."""
    asked = {**toolkit.request.args.to_dict(), preview.PAGE: number}
    address: str = toolkit.url_for("dataset_resource.read", id=package["name"], resource_id=resource["id"])
    return f"{address}?{urlencode(asked)}#tabla"


def rnu_changes(release: Node) -> list[str]:
    """What a release changed: `Pensión 65: 4 882 → 4 901`, a line for each programme; marks in words."""
    return [
        f"{change['programa']}: {_total(change['antes'])} → {_total(change['ahora'])}"
        for change in release.get("cambios", [])
    ]


def _total(value: int | str | None) -> str:
    return words.number(value) if isinstance(value, int) else MARK_WORDS.get(value or "", "no estaba")
