"""Who may look at the desk, and who may hand something over there. Who may decide, only a signature tells."""

from __future__ import annotations

from ckan import authz
from ckan.plugins import toolkit
from ckan.types import AuthResult, Context, DataDict

LOOK = ("member", "editor", "admin")
ACT = ("admin",)


def rnu_desk_look(context: Context, data_dict: DataDict) -> AuthResult:
    """Whoever has a role in the organisation that runs the desk."""
    del data_dict
    return _with_role(context, LOOK)


def rnu_desk_act(context: Context, data_dict: DataDict) -> AuthResult:
    """Its administrators."""
    del data_dict
    return _with_role(context, ACT)


def _with_role(context: Context, roles: tuple[str, ...]) -> AuthResult:
    role = authz.users_role_for_group_or_org(toolkit.config["ckanext.rnu.organization"], context.get("user"))
    # one sentence for everybody and everything: it must not tell what there is
    return {"success": role in roles, "msg": "Para esto hace falta un rol en la organización."}
