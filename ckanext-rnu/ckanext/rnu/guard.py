"""What CKAN's own middleware leaves open: forms without their token, files shown as pages, refusals nobody answers."""

from __future__ import annotations

from typing import Any

from ckan.common import current_user, g, request
from ckan.plugins import toolkit
from ckan.types import CKANApp, Response
from flask import current_app

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
DOWNLOAD = "_resource.download"
SIGNING_IN = "user"


def guard(app: CKANApp) -> CKANApp:
    """Have CKAN's application answer so."""
    app.before_request(require_token)
    app.after_request(give_for_download)
    app.register_error_handler(toolkit.NotAuthorized, refuse)
    return app


def require_token() -> None:
    """Refuse a change by somebody who has signed in, or is about to, without the form's token.

    An API token is proof enough; who is nobody has nothing that another site could use. CKAN 2.12 itself lifts this
    check, for everybody and until it is started again, from each view that somebody without a session has opened
    (`csrf.exempt` in its `ckan_before_request`).
    """
    if request.method not in CHANGING:
        return
    signed_in = current_user.is_authenticated and not g.get("login_via_auth_header")
    signing_in = current_user.is_anonymous and request.blueprint == SIGNING_IN
    if signed_in or signing_in:
        current_app.extensions["csrf"].protect()


def give_for_download(response: Response) -> Response:
    """Never let a browser show an uploaded file as a page of the portal's."""
    if (request.endpoint or "").endswith(DOWNLOAD) and "Content-Disposition" in response.headers:
        given = response.headers["Content-Disposition"]
        response.headers["Content-Disposition"] = given.replace("inline", "attachment", 1)
    return response


def refuse(_refused: Exception) -> tuple[Any, int]:
    """Answer with 403 where a view of CKAN's let a refusal through, which would be 500."""
    return toolkit.render("error_document_template.html", {"code": 403}), 403
