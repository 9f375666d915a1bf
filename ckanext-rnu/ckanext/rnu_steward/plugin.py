"""The desk as a plugin. It needs `rnu` and `activity`, the worker's ledger and the releases' folder."""

from __future__ import annotations

from ckan import plugins
from ckan.common import CKANConfig
from ckan.plugins import toolkit
from ckanext.activity.logic.validators import object_id_validators
from ckanext.rnu_steward import cli, telling


@toolkit.blanket.actions
@toolkit.blanket.auth_functions
@toolkit.blanket.blueprints
@toolkit.blanket.cli(cli.get_commands)
@toolkit.blanket.config_declarations
@toolkit.blanket.helpers
class RnuStewardPlugin(plugins.SingletonPlugin):
    """Loaded as `rnu_steward`."""

    plugins.implements(plugins.IConfigurer)

    def update_config(self, config: CKANConfig) -> None:
        """Pages, their style and the browser's part of signing; the kinds of activity that the desk adds."""
        toolkit.add_template_directory(config, "templates")
        toolkit.add_resource("assets", "rnu_steward")
        object_id_validators.update(dict.fromkeys(telling.ACTIVITIES.values(), "group_id_exists"))
