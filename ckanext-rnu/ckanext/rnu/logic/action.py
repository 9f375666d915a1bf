"""What CKAN itself has no action for."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa
from ckan.plugins import toolkit
from ckan.types import ActionResult, Context, DataDict
from ckanext.datastore.backend import DatastoreBackend

_ALIAS = re.compile(r"[a-z][a-z0-9_]{0,62}")


def rnu_tables_switch(context: Context, data_dict: DataDict) -> ActionResult.AnyDict:
    """Put freshly loaded DataStore tables in the place of those that visitors read, all of them in one transaction.

    Each action of CKAN's DataStore commits on its own, so that a table that is filled again is for a while empty, and
    two tables never change together. Here a table is loaded beside the one that is read, under a resource of a private
    dataset, and the two change names.

    :param package_id: the dataset that visitors read
    :param staging_id: the private dataset beside which the new tables were loaded
    :param tables: list of {resource_id, staged_id, alias}; `staged_id` is the new table, `alias` a name for the other
    :returns: {"switched": [resource_id, …]}
    """
    toolkit.check_access("rnu_tables_switch", context, data_dict)
    tables = _tables(context, data_dict)
    engine: sa.Engine = DatastoreBackend.get_active_backend()._get_write_engine()  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(sa.text("set local lock_timeout = '20s'"))
        for resource_id, staged_id, alias in tables:
            _switch(connection, resource_id, staged_id, alias)
    return {"switched": [resource_id for resource_id, _, _ in tables]}


def _tables(context: Context, data_dict: DataDict) -> list[tuple[str, str, str]]:
    """The tables asked for, each a resource of the dataset it must belong to."""
    own: dict[str, set[str]] = {}
    for key in ("package_id", "staging_id"):
        package = toolkit.get_action("package_show")(toolkit.fresh_context(context), {"id": data_dict[key]})
        own[key] = {resource["id"] for resource in package["resources"]}
    asked: Any = toolkit.get_or_bust(data_dict, "tables")
    found = []
    for one in asked if isinstance(asked, list) else []:
        resource_id, staged_id, alias = (str(one.get(key, "")) for key in ("resource_id", "staged_id", "alias"))
        if resource_id not in own["package_id"] or staged_id not in own["staging_id"] or not _ALIAS.fullmatch(alias):
            raise toolkit.ValidationError({"tables": [f"not a table of these datasets, or no alias: {resource_id}"]})
        found.append((resource_id, staged_id, alias))
    if not found:
        raise toolkit.ValidationError({"tables": ["a list of resource_id, staged_id and alias is needed"]})
    return found


def _switch(connection: sa.Connection, resource_id: str, staged_id: str, alias: str) -> None:
    """The two tables change names; aliases follow the name, not the table."""

    def run(statement: str) -> None:
        connection.execute(sa.text(statement))

    if not sa.inspect(connection).has_table(staged_id):
        raise toolkit.ValidationError({"tables": [f"there is no new table {staged_id}"]})
    run(f'drop view if exists "{alias}"')
    former = sa.inspect(connection).has_table(resource_id)
    if former:
        run(f'alter table "{resource_id}" rename to "rnu-former"')
    run(f'alter table "{staged_id}" rename to "{resource_id}"')
    if former:
        run(f'alter table "rnu-former" rename to "{staged_id}"')
    run(f'create view "{alias}" as select * from "{resource_id}"')
