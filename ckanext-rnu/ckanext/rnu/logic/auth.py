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


# CKAN's own setting closes the list of users to visitors. These answer whether somebody has an account, too.


def _for_accounts() -> AuthFunction:
    """What only those are told who have an account themselves."""

    @toolkit.chained_auth_function
    def told(next_auth: AuthFunction, context: Context, data_dict: DataDict) -> AuthResult:
        return {"success": False} if authz.auth_is_anon_user(context) else next_auth(context, data_dict)

    return told


member_list = user_follower_count = followee_count = user_followee_count = _for_accounts()
dataset_followee_count = group_followee_count = organization_followee_count = _for_accounts()
recently_changed_packages_activity_list = _for_accounts()


@toolkit.chained_auth_function
def organization_list_for_user(next_auth: AuthFunction, context: Context, data_dict: DataDict) -> AuthResult:
    """Of oneself; of somebody else for whoever may change that account."""
    if data_dict.get("id") not in (None, context.get("user")):
        toolkit.check_access("user_update", toolkit.fresh_context(context), {"id": data_dict["id"]})
    return next_auth(context, data_dict)


@toolkit.chained_auth_function
def user_list(next_auth: AuthFunction, context: Context, data_dict: DataDict) -> AuthResult:
    """Whoever gives people a role in an organisation, and needs their names for that; so also by parts of a name."""
    manages = authz.has_user_permission_for_some_org(context.get("user"), "membership")
    return next_auth(context, data_dict) if manages else {"success": False}
