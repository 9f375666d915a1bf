"""The public face: what a release looks like as a dataset, how its tables are replaced, and what visitors see."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from ckan import plugins
from ckan.common import CKANConfig
from ckan.lib.plugins import DefaultTranslation
from ckan.plugins import toolkit
from ckan.types import CKANApp
from ckanext.rnu import facets, guard

WITHDRAWN = "extras_rnu_retirado:si"


@toolkit.blanket.actions
@toolkit.blanket.auth_functions
@toolkit.blanket.helpers
class RnuPlugin(DefaultTranslation, plugins.SingletonPlugin):  # type: ignore[misc]
    """Loaded as `rnu`."""

    plugins.implements(plugins.IConfigurer)
    plugins.implements(plugins.IPackageController, inherit=True)
    plugins.implements(plugins.IFacets, inherit=True)
    plugins.implements(plugins.ITranslation)
    plugins.implements(plugins.IMiddleware, inherit=True)

    def update_config(self, config: CKANConfig) -> None:
        """Pages and their style."""
        toolkit.add_template_directory(config, "templates")
        toolkit.add_resource("assets", "rnu")

    def make_middleware(self, app: CKANApp, _config: CKANConfig) -> CKANApp:
        """What CKAN's own leaves open."""
        return guard.guard(app)

    def before_dataset_search(self, search_params: dict[str, Any]) -> dict[str, Any]:
        """What was withdrawn is found no more; its page stays, with a note."""
        search_params["fq"] = f"{search_params.get('fq', '')} -{WITHDRAWN}".strip()
        return search_params

    def before_dataset_index(self, pkg_dict: dict[str, Any]) -> dict[str, Any]:
        """Programmes, levels and periods, to narrow a search by."""
        return facets.indexed(pkg_dict)

    def after_dataset_search(self, search_results: dict[str, Any], _asked: dict[str, Any]) -> dict[str, Any]:
        """Facets in words."""
        facets.labelled(search_results.get("search_facets", {}))
        return search_results

    def dataset_facets(self, facets_dict: OrderedDict[str, str], package_type: str) -> OrderedDict[str, str]:
        """By what datasets are narrowed; other types keep what their own plugins say."""
        return facets.TITLES.copy() if package_type == "dataset" else facets_dict

    def organization_facets(
        self, facets_dict: OrderedDict[str, str], _type: str, package_type: str | None
    ) -> OrderedDict[str, str]:
        """The same on an organisation's page."""
        return self.dataset_facets(facets_dict, package_type or "dataset")
