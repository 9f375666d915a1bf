"""Actions of ckanext-harvest that work otherwise for rosters, and who may see what came of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from ckan import plugins
from ckan.lib import search
from ckan.plugins import toolkit
from ckan.types import Action, AuthResult, Context, DataDict
from ckanext.harvest.logic.auth import get_obj_object
from ckanext.rnu import institution

from rnu import announcement
from rnu.errors import RnuError, SettingsError
from rnu.settings import Period

NAME = "rnu_roster"
log = logging.getLogger(__name__)


def get_actions() -> dict[str, Callable[..., Any]]:
    """What is changed."""
    return {
        "package_create": package_create,
        "package_update": package_update,
        "harvest_jobs_run": harvest_jobs_run,
        "harvest_source_reindex": harvest_source_reindex,
        "harvest_source_list": harvest_source_list,
    }


def get_auth_functions() -> dict[str, Callable[..., Any]]:
    """Who may see reports."""
    return {
        "harvest_object_show": harvest_object_show,
        "harvest_object_list": of_one_source,
        "harvest_job_list": of_one_source,
        "harvest_source_list": all_sources,
    }


# --- the form ----------------------------------------------------------------------------------------------------


@toolkit.chained_action
def package_create(original_action: Action, context: Context, data_dict: DataDict) -> Any:
    """A roster's source is checked in a steward's words; it is private, its address follows from its roster."""
    if data_dict.get("source_type") != NAME:
        return original_action(context, data_dict)
    toolkit.check_access("package_create", context, data_dict)
    return _kept(original_action, context, data_dict)


@toolkit.chained_action
def package_update(original_action: Action, context: Context, data_dict: DataDict) -> Any:
    """The same when it is changed."""
    if data_dict.get("source_type") != NAME:
        return original_action(context, data_dict)
    toolkit.check_access("package_update", context, data_dict)
    return _kept(original_action, context, data_dict)


def _kept(original_action: Action, context: Context, data_dict: DataDict) -> Any:
    try:
        return original_action(context, _as_source(data_dict))
    except toolkit.ValidationError as error:
        if "url" in error.error_dict:  # no field of a roster's form: it says that there is such a source
            wrong = {"padron": ["Ya hay una fuente para este padrón y este periodo."]}
            raise toolkit.ValidationError(wrong) from error
        raise


def _as_source(data_dict: DataDict) -> DataDict:
    """A source as ckanext-harvest keeps it: which roster and period stands in its configuration, as JSON."""
    given = {**_configured(data_dict), **{key: data_dict[key] for key in ("padron", "periodo") if key in data_dict}}
    roster, period = (str(given.get(key) or "").strip() for key in ("padron", "periodo"))
    found = {"padron": _wrong_roster(roster), "periodo": _wrong_period(period)}
    if errors := {key: [words] for key, words in found.items() if words}:
        raise toolkit.ValidationError(errors)
    address = f"rnu:{roster}/{period}".rstrip("/")
    config = json.dumps({"padron": roster, "periodo": period})
    rest = {key: value for key, value in data_dict.items() if key not in ("padron", "periodo")}
    return {**rest, "url": address, "config": config, "private": True}


def _configured(data_dict: DataDict) -> dict[str, Any]:
    try:
        found = json.loads(data_dict.get("config") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _wrong_roster(id: str) -> str:
    try:
        known = announcement.announced(institution.ledger())
    except RnuError as error:
        log.warning("%s", error)
        return "El libro de registro no responde; pruebe otra vez en unos minutos."
    if known.source(id):
        return ""
    listed = ", ".join(source.id for source in known.sources)
    return f"No hay un padrón «{id}». Los que hay: {listed}." if id else f"Elija un padrón: {listed}."


def _wrong_period(period: str) -> str:
    try:
        if period:
            Period.parse(period)
    except SettingsError:
        return "Escriba el periodo como AAAA-MM, por ejemplo 2026-01, o déjelo vacío."
    return ""


# --- jobs --------------------------------------------------------------------------------------------------------


@toolkit.chained_action
def harvest_jobs_run(original_action: Action, context: Context, data_dict: DataDict) -> Any:
    """First close what the worker answered, so that its jobs end in this same run."""
    toolkit.check_access("harvest_jobs_run", context, data_dict)
    try:
        plugins.get_plugin(NAME).close_answered()
    except RnuError as error:
        log.warning("answers are read at the next look: %s", error)
    return original_action(context, data_dict)


@toolkit.chained_action
@toolkit.side_effect_free
def harvest_source_reindex(original_action: Action, context: Context, data_dict: DataDict) -> bool:
    """Index a source as CKAN indexes any dataset.

    The original (1.6.3) stores what was not validated, and the next `harvest_source_show` lacks `source_type`.
    """
    del original_action
    toolkit.check_access("harvest_source_reindex", context, data_dict)
    search.rebuild(toolkit.get_or_bust(data_dict, "id"), defer_commit=context.get("defer_commit", False))
    return True


@toolkit.chained_action
@toolkit.side_effect_free
def harvest_source_list(original_action: Action, context: Context, data_dict: DataDict) -> Any:
    """The list of all sources, for whom it is meant: the original (1.6.3) asks nobody."""
    toolkit.check_access("harvest_source_list", context, data_dict)
    return original_action(context, data_dict)


# --- who sees reports --------------------------------------------------------------------------------------------


@toolkit.chained_auth_function
def harvest_object_show(next_auth: Callable[..., AuthResult], context: Context, data_dict: DataDict) -> AuthResult:
    """A roster's report is for those who may change its source; other objects are seen by whom they were."""
    found = get_obj_object(context, data_dict)
    if found.source.type != NAME:
        return next_auth(context, data_dict)
    return _may_change(context, found.source.id)


@toolkit.chained_auth_function
def all_sources(next_auth: Callable[..., AuthResult], context: Context, data_dict: DataDict) -> AuthResult:
    """Private ones too, for nobody but administrators; others find theirs by `package_search`."""
    del next_auth, context, data_dict
    return {"success": False}


@toolkit.chained_auth_function
def of_one_source(next_auth: Callable[..., AuthResult], context: Context, data_dict: DataDict) -> AuthResult:
    """Of one source, for those who may change it; of all, for nobody but administrators."""
    del next_auth
    source = data_dict.get("source_id")
    return _may_change(context, source) if source else {"success": False}


def _may_change(context: Context, source_id: str) -> AuthResult:
    try:
        toolkit.check_access("harvest_source_update", context, {"id": source_id})
    except toolkit.NotAuthorized:
        return {"success": False, "msg": "Este informe es para quienes administran la fuente."}
    return {"success": True}
