"""The desk's pages. Whoever may not look gets the same few bytes for every address, before anything is looked up."""

from __future__ import annotations

import logging
from datetime import date
from typing import Any

from ckan.config.middleware.flask_app import csrf
from ckan.plugins import toolkit
from ckan.types import Response
from flask import Blueprint, jsonify, make_response
from markupsafe import Markup

from rnu.errors import RnuError
from rnu.release.difference import DEEPEST

log = logging.getLogger(__name__)
mesa = Blueprint("rnu_desk", __name__, url_prefix="/mesa")


@mesa.before_request
def guard() -> Response | None:
    """Nobody without a role comes further; what changes something carries the form's own token.

    CKAN leaves a view without its check of that token for good once anybody came to it without a session: here it is
    asked for every time.
    """
    try:
        toolkit.check_access("rnu_desk_look", _context(), {})
    except toolkit.NotAuthorized:
        return make_response(toolkit.render("mesa/cerrada.html"), 403)
    csrf.protect()
    return None


@mesa.after_request
def keep_nowhere(response: Response) -> Response:
    """No cache keeps a page of the desk, nor does it stand in another site's frame."""
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.setdefault("X-Frame-Options", "DENY")
    return response


@mesa.errorhandler(toolkit.ObjectNotFound)
def not_found(_: Exception) -> tuple[str, int]:
    """Only somebody with a role learns that there is no such thing."""
    return toolkit.render("mesa/error.html", {"code": 404, "said": "No hay tal publicación, archivo o pedido."}), 404


@mesa.errorhandler(toolkit.NotAuthorized)
def not_allowed(_: Exception) -> tuple[str, int]:
    """Somebody who may look, and no more."""
    said = "Su rol en la organización permite mirar. Decidir, publicar y construir es de quienes la administran."
    return toolkit.render("mesa/error.html", {"code": 403, "said": said}), 403


@mesa.errorhandler(toolkit.ValidationError)
def not_valid(error: toolkit.ValidationError) -> tuple[str, int]:
    """What was written does not do."""
    return toolkit.render("mesa/error.html", {"code": 400, "said": _in_words(error)}), 400


@mesa.errorhandler(RnuError)
def out_of_reach(error: RnuError) -> tuple[str, int]:
    """The ledger or a release's files cannot be read now; nothing was changed."""
    log.error("the desk cannot show a page: %s", error)
    said = "El registro no responde ahora, o faltan archivos de la publicación. Nada cambió: inténtelo en unos minutos."
    return toolkit.render(
        "mesa/error.html", {"code": 503, "said": f"{said} Si sigue, avise a quien lo administra."}
    ), 503


# --- looking -----------------------------------------------------------------------------------------------------


@mesa.route("/")
def overview() -> str:
    """What waits, what is late, what failed."""
    return _page("mesa/index.html", desk=_call("rnu_desk_overview"), may_act=_may_act())


@mesa.route("/publicacion/<digest>")
def release(digest: str) -> str:
    """One release, and the decision on it."""
    level = toolkit.request.args.get("nivel", DEEPEST)
    view = _call("rnu_desk_release", id=digest, level=level)
    return _page("mesa/publicacion.html", view=view, may_act=_may_act())


@mesa.route("/publicacion/<digest>/archivo/<path:name>")
def file(digest: str, name: str) -> str:
    """The beginning of a file."""
    return _page("mesa/archivo.html", digest=digest, file=_call("rnu_desk_file", id=digest, name=name))


@mesa.route("/pedido/<int:id>")
def request(id: int) -> str | Response:
    """What the worker makes of a request; a page that waits for it asks for JSON."""
    asked = _call("rnu_desk_request", id=id)
    if toolkit.request.args.get("formato") == "json":
        return jsonify({"is_over": asked["is_over"]})
    return _page("mesa/pedido.html", asked=asked)


@mesa.route("/llaves")
def passkeys() -> str:
    """The caller's passkeys, and making one."""
    return _page("mesa/llaves.html", passkeys=_call("rnu_desk_passkeys"), today=date.today().isoformat())


# --- handing over ------------------------------------------------------------------------------------------------


@mesa.route("/publicacion/<digest>/firmar", methods=["POST"])
def to_sign(digest: str) -> Response:
    """What the browser needs to sign a word."""
    return _options("rnu_desk_to_sign", "role", "note", id=digest)


@mesa.route("/publicacion/<digest>/decidir", methods=["POST"])
def decide(digest: str) -> Response:
    """Hand a signed word over."""
    return _ask("rnu_desk_decide", "role", "note", "assertion", id=digest)


@mesa.route("/llaves/crear", methods=["POST"])
def to_register() -> Response:
    """What the browser needs to make a passkey."""
    return _options("rnu_desk_to_register", "steward")


@mesa.route("/llaves", methods=["POST"])
def register() -> Response:
    """Hand a new passkey over."""
    return _ask("rnu_desk_register", "steward", "registration")


@mesa.route("/publicar", methods=["POST"])
def publish() -> Response:
    """Ask for what is approved to be shown."""
    return _ask("rnu_desk_publish")


@mesa.route("/construir", methods=["POST"])
def build() -> Response:
    """Ask for a period to be built."""
    return _ask("rnu_desk_build", "period", "go")


# --- how ---------------------------------------------------------------------------------------------------------


def _context() -> dict[str, Any]:
    return {"user": toolkit.current_user.name, "auth_user_obj": toolkit.current_user}


def _call(action: str, **arguments: Any) -> Any:
    return toolkit.get_action(action)(_context(), arguments)


def _may_act() -> bool:
    return bool(toolkit.h.check_access("rnu_desk_act"))


def _page(template: str, **values: Any) -> str:
    return str(toolkit.render(template, values))


def _of_form(*names: str) -> dict[str, str]:
    return {name: toolkit.request.form[name] for name in names if name in toolkit.request.form}


def _ask(action: str, *names: str, **arguments: str) -> Response:
    """Hand over what a form holds, and go where its answer will stand."""
    asked = _call(action, **_of_form(*names), **arguments)
    return toolkit.redirect_to("rnu_desk.request", id=asked["request"])


def _options(action: str, *names: str, **arguments: str) -> Response:
    """What a browser asked its passkey for; or why not, in words that the page shows."""
    host = toolkit.request.host.rpartition(":")[0] or toolkit.request.host
    try:
        return jsonify(_call(action, **_of_form(*names), **arguments, host=host))
    except toolkit.ValidationError as error:
        return make_response(jsonify({"said": _in_words(error)}), 400)


def _in_words(error: toolkit.ValidationError) -> str:
    return " ".join(str(Markup.escape(text)) for texts in error.error_dict.values() for text in texts)
