"""The public face: what a release looks like as a dataset, how its tables are replaced, and what visitors see."""

from __future__ import annotations

from typing import Any

from ckan import plugins
from ckan.common import CKANConfig
from ckan.plugins import toolkit

WITHDRAWN = "extras_rnu_retirado:si"


@toolkit.blanket.actions
@toolkit.blanket.auth_functions
@toolkit.blanket.helpers
class RnuPlugin(plugins.SingletonPlugin):
    """Loaded as `rnu`."""

    plugins.implements(plugins.IConfigurer)
    plugins.implements(plugins.IPackageController, inherit=True)

    def update_config(self, config: CKANConfig) -> None:
        """Pages and their style."""
        toolkit.add_template_directory(config, "templates")
        toolkit.add_resource("assets", "rnu")

    def before_dataset_search(self, search_params: dict[str, Any]) -> dict[str, Any]:
        """What was withdrawn is found no more; its page stays, with a note."""
        search_params["fq"] = f"{search_params.get('fq', '')} -{WITHDRAWN}".strip()
        return search_params
