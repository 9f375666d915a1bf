"""DCAT-AP 3 by ckanext-dcat, in the words that the static portal says: `ckanext.dcat.rdf.profiles = rnu_dcat_ap`."""

from __future__ import annotations

import json
from typing import Any

from ckanext.dcat.profiles import EuropeanDCATAP3Profile
from ckanext.rnu import freshness, standards
from rdflib import Graph, URIRef

from rnu.publish import catalogue
from rnu.publish.ckan_entry import is_ours


class RnuProfile(EuropeanDCATAP3Profile):
    """Datasets that hold releases from their entry; other datasets, and what is read, as ckanext-dcat does."""

    def graph_from_dataset(self, dataset_dict: dict[str, Any], dataset_ref: URIRef) -> None:
        """Add a dataset to the graph."""
        if is_ours(dataset_dict):
            freshness.note(dataset_dict["metadata_modified"])
            _add(self.g, catalogue.dcat_dataset(standards.entry(dataset_dict)))
        else:
            super().graph_from_dataset(dataset_dict, dataset_ref)

    def graph_from_catalog(self, catalog_dict: dict[str, Any], catalog_ref: URIRef) -> None:  # noqa: ARG002
        """Add the portal itself to the graph."""
        found = standards.entries()
        _add(self.g, catalogue.dcat_catalogue(standards.catalogue_of(found), found))


def _add(graph: Graph, node: catalogue.Node) -> None:
    for prefix, address in catalogue.CONTEXT.items():
        graph.bind(prefix, address)
    graph.parse(data=json.dumps(node), format="json-ld")
