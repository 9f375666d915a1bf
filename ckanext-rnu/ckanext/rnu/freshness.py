"""Answering programs only what has changed since they last asked."""

from __future__ import annotations

from datetime import UTC, datetime

from ckan.plugins import toolkit
from flask import Response, g, request

# what programs ask for again and again: this extension's, ckanext-dcat's and CKAN's routes
ASKED_AGAIN = ("rnu_standards.", "dcat.", "feeds.")


def note(changed: str | datetime) -> None:
    """Remember when something that is being answered last changed."""
    when = datetime.fromisoformat(changed) if isinstance(changed, str) else changed
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    g.rnu_changed = max(when, g.get("rnu_changed") or when)


def answer(response: Response) -> Response:
    """Give what programs read an ETag, and nothing but that to whoever has it already.

    The date is told, not compared: a dataset that left the catalogue makes it no newer.
    """
    asked_again = (request.endpoint or "").startswith(ASKED_AGAIN)
    if not asked_again or request.method not in ("GET", "HEAD") or response.status_code != 200:
        return response
    if toolkit.current_user.is_authenticated:
        request.environ["__no_cache__"] = True  # may hold what visitors do not see; CKAN then says `private`
    if changed := g.get("rnu_changed"):
        response.last_modified = changed
    if response.mimetype.startswith("text/"):
        response.mimetype_params["charset"] = "utf-8"  # ckanext-dcat leaves readers of Turtle to guess
    response.add_etag()
    return response.make_conditional(request) if request.if_none_match else response
