"""Who may call this extension's actions."""

from __future__ import annotations

from ckan.plugins import toolkit
from ckan.types import AuthResult, Context, DataDict


def rnu_tables_switch(context: Context, data_dict: DataDict) -> AuthResult:
    """Whoever may edit both datasets."""
    for key in ("package_id", "staging_id"):
        toolkit.check_access("package_update", context.copy(), {"id": toolkit.get_or_bust(data_dict, key)})
    return {"success": True}
