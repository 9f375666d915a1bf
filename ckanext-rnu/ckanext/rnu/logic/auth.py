"""Who may call this extension's actions; and that only those who edit see who did what and when."""

from __future__ import annotations

from ckan import authz
from ckan.plugins import toolkit
from ckan.types import AuthFunction, AuthResult, Context, DataDict


def rnu_tables_switch(context: Context, data_dict: DataDict) -> AuthResult:
    """Whoever may edit both datasets."""
    for key in ("package_id", "staging_id"):
        toolkit.check_access("package_update", context.copy(), {"id": toolkit.get_or_bust(data_dict, key)})
    return {"success": True}


# CKAN's activity tells the names of those who have an account. What visitors need to know of a change stands in the
# dataset's own history.


def _for_whoever(may: str) -> AuthFunction:
    """A stream of activity is read by those who may also do something to what it is about."""

    @toolkit.chained_auth_function
    def activity_list(next_auth: AuthFunction, context: Context, data_dict: DataDict) -> AuthResult:
        toolkit.check_access(may, toolkit.fresh_context(context), {"id": data_dict["id"]})
        return next_auth(context, data_dict)

    return activity_list


package_activity_list = _for_whoever("package_update")
organization_activity_list = _for_whoever("organization_update")
group_activity_list = _for_whoever("group_update")
user_activity_list = _for_whoever("user_update")  # oneself, and administrators


@toolkit.chained_auth_function
def recently_changed_packages_activity_list(
    next_auth: AuthFunction, context: Context, data_dict: DataDict
) -> AuthResult:
    """Whoever has an account."""
    return {"success": False} if authz.auth_is_anon_user(context) else next_auth(context, data_dict)
