"""What programs read of the portal: data.json, Data Packages, Croissant, schema.org.

DCAT is ckanext-dcat's, with the profile beside this module. The words are `rnu.publish`'s, the same as on the static
portal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ckan import plugins
from ckan.plugins import toolkit
from ckanext.dcat import helpers as dcat_helpers
from ckanext.dcat.interfaces import IDCATURIGenerator
from ckanext.dcat.utils import catalog_uri
from ckanext.rnu import freshness
from ckanext.rnu.feed import SpanishFeed
from flask import Blueprint, Response, request
from jinja2.utils import htmlsafe_json_dumps

from rnu.publish import catalogue, machine
from rnu.publish.ckan_entry import entry_of, is_ours
from rnu.publish.entry import Agent, Catalogue, Entry, Licence

Node = dict[str, Any]

JSON = "application/json; charset=utf-8"
JSON_LD = "application/ld+json"
DATA_PACKAGE = catalogue.DATA_PACKAGE

rnu_standards = Blueprint("rnu_standards", __name__)
rnu_standards.after_app_request(freshness.answer)


@rnu_standards.route("/data.json")
def data_json() -> Response:
    """Project Open Data 1.1: the datasets that hold releases, for portals that harvest it, such as DKAN."""
    found = entries()
    return _answer(catalogue.pod(catalogue_of(found), found), JSON)


@rnu_standards.route("/dataset/<id>/datapackage.json")
def datapackage(id: str) -> Response:
    """A dataset's tables as a Data Package."""
    package = _package(id)
    if not is_ours(package):
        toolkit.abort(404, toolkit._("Dataset not found"))
    return _answer(machine.datapackage(entry(package), machine.anywhere), DATA_PACKAGE)


# not ckanext-dcat's plugin `croissant`: it puts the whole into each dataset's page, too
@rnu_standards.route("/dataset/<id>/croissant.jsonld")
def croissant(id: str) -> Response:
    """A dataset as Croissant 1.0."""
    package = _package(id)
    if is_ours(package):
        return _answer(machine.croissant(entry(package)), JSON_LD)
    return Response(dcat_helpers.croissant(package), content_type=JSON_LD)


@toolkit.chained_helper
def structured_data(next_helper: Callable[..., str], dataset_dict: Node, profiles: list[str] | None = None) -> str:
    """schema.org of a dataset's page."""
    if profiles or not is_ours(dataset_dict):
        return next_helper(dataset_dict, profiles)
    return str(htmlsafe_json_dumps(machine.schema_org(entry(dataset_dict)), dumps=_json))


class RnuStandardsPlugin(plugins.SingletonPlugin):
    """Loaded as `rnu_standards`."""

    plugins.implements(plugins.IBlueprint)
    plugins.implements(plugins.IFeed)
    plugins.implements(plugins.ITemplateHelpers)
    plugins.implements(IDCATURIGenerator, inherit=True)

    def get_blueprint(self) -> Blueprint:
        """Routes of this module."""
        return rnu_standards

    def get_helpers(self) -> dict[str, Callable[..., Any]]:
        """What pages embed."""
        return {"structured_data": structured_data}

    def get_feed_class(self) -> type[SpanishFeed]:
        """Feeds in Spanish."""
        return SpanishFeed

    def get_item_additional_fields(self, dataset_dict: Node) -> Node:  # noqa: ARG002
        """Nothing but what CKAN gives."""
        return {}

    def dataset_uri(self, dataset_dict: Node, default_uri: str) -> str:
        """A dataset's address in DCAT: its page, for good, where it holds releases."""
        return str(dataset_dict["identifier"]) if is_ours(dataset_dict) else default_uri


# --- entries -----------------------------------------------------------------------------------------------------


def entry(package: Node) -> Entry:
    """A dataset in the catalogue's words."""
    return entry_of(package, _site())


def entries() -> tuple[Entry, ...]:
    """The datasets that show releases, by title."""
    asked = {"fq": "extras_rnu_digest:[* TO *]", "rows": 1000, "sort": "title_string asc"}
    found = [one for one in toolkit.get_action("package_search")({}, asked)["results"] if is_ours(one)]
    for package in found:
        freshness.note(package["metadata_modified"])
    return tuple(entry(package) for package in found)


def catalogue_of(found: Sequence[Entry]) -> Catalogue:
    """The portal as a catalogue; it is published by whoever publishes its datasets."""
    site, title = _site(), str(toolkit.config["ckan.site_title"])
    return Catalogue(
        url=site,
        uri=catalog_uri(),
        title=title,
        description=str(toolkit.config.get("ckan.site_description") or title),
        publisher=found[0].publisher if found else Agent(f"{site}/#institucion", title, title, ""),
        licence=found[0].licence if found else Licence("", f"{site}/about"),
    )


# --- answering ---------------------------------------------------------------------------------------------------


@rnu_standards.after_app_request
def point_to_standards(response: Response) -> Response:
    """Tell programs on a dataset's page where the same stands for them (RFC 8288)."""
    if request.endpoint == "dataset.read" and response.status_code == 200:
        page = f"{_site()}{request.path}"
        response.headers.add("Link", f'<{page}/datapackage.json>; rel="describedby"; type="{DATA_PACKAGE}"')
        response.headers.add("Link", f'<{page}/croissant.jsonld>; rel="describedby"; type="{JSON_LD}"')
    return response


def _package(id: str) -> Node:
    try:
        found: Node = toolkit.get_action("package_show")({}, {"id": id})
    except (toolkit.ObjectNotFound, toolkit.NotAuthorized):
        toolkit.abort(404, toolkit._("Dataset not found"))
    freshness.note(found["metadata_modified"])
    return found


def _answer(node: Node, content_type: str) -> Response:
    return Response(_json(node, indent=2) + "\n", content_type=content_type)


def _json(node: Node, **options: Any) -> str:
    return json.dumps(node, ensure_ascii=False, **options)


def _site() -> str:
    return str(toolkit.config["ckan.site_url"]).rstrip("/")
