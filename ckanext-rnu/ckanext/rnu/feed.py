"""CKAN's Atom feeds in Spanish, with links that lead somewhere."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from ckan.plugins import toolkit
from ckan.views.feed import CKANFeed
from ckanext.rnu import freshness
from feedgen.entry import FeedEntry

SUBTITLE = "Conjuntos de datos nuevos o actualizados"
# CKAN writes these titles in English, whatever the language
TITLES = {" - Organization: ": " · Institución: ", " - Group: ": " · Grupo: ", " - Tag: ": " · Etiqueta: ",
          " - Custom query": " · Búsqueda"}  # fmt: skip


class SpanishFeed(CKANFeed):
    """A feed whose date is its newest entry's: CKAN's own changes at every reading."""

    def __init__(
        self,
        feed_title: str,
        feed_link: str,
        feed_description: str,  # noqa: ARG002
        language: str | None,  # noqa: ARG002
        author_name: str | None,
        feed_guid: str | None,  # noqa: ARG002
        feed_url: str | None,
        **pages: str | None,  # noqa: ARG002
    ) -> None:
        """Take what CKAN gives; its links to further pages are left out: they name no page (2.12.0)."""
        site = str(toolkit.config["ckan.site_url"])
        for english, spanish in TITLES.items():
            feed_title = feed_title.replace(english, spanish)
        super().__init__(
            feed_title,
            urljoin(site, feed_link),
            SUBTITLE,
            "es",
            author_name,
            urljoin(site, feed_url or feed_link),  # CKAN's own lacks a slash in an organisation's (2.12.0)
            urljoin(site, feed_url or ""),
            None,
            None,
            None,
            None,
        )
        self._newest: datetime | None = None

    def add_item(self, **item: Any) -> None:
        """Add a dataset: its page, its words without CKAN's emphasis, its day."""
        (id,) = parse_qs(urlsplit(item["link"]).query)["id"]
        item["link"] = toolkit.url_for("dataset.read", id=id, _external=True)
        item["description"] = re.sub(r"\*\*(.*?)\*\*", r" \1", item["description"])
        item.pop("enclosure", None)  # feedgen writes it as a second page of the dataset
        super().add_item(**item)
        changed = self.entry()[-1].updated()
        self._newest = max(changed, self._newest or changed)
        self.updated(self._newest)
        freshness.note(self._newest)

    def add_entry(self, feedEntry: FeedEntry | None = None, order: str = "append") -> FeedEntry:  # noqa: N803
        """Newest first, as CKAN gives them."""
        return super().add_entry(feedEntry, order)
