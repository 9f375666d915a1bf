"""A metastore of DKAN 2 over real HTTP, as its documentation and its schemas describe it.

Paths, status codes and the envelope of errors follow `metastore.routing.yml` and the metastore's controllers; the two
schemas say what `schema/collections/dataset.json` and `data-dictionary.json` of DKAN 2.19 ask for. As DKAN does, it
escapes markup, resolves the address of a dictionary and adds a `%modified` of its own.
"""

import base64
import html
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import jsonschema

USER, PASSWORD = "publicador", "clave:con:dos-puntos"
API = "/api/1/metastore/schemas/"

TEXT = {"type": "string", "minLength": 1}
URI = {"type": "string", "format": "uri", "pattern": "^[a-z]+://[^ ]+$"}
FREQUENCIES = [
    *("R/P10Y", "R/P4Y", "R/P1Y", "R/P2M", "R/P3.5D", "R/P1D", "R/P2W", "R/P6M", "R/P2Y", "R/P3Y", "R/P0.33W"),
    *("R/P0.33M", "R/PT1S", "R/P1M", "R/P3M", "R/P0.5M", "R/P4M", "R/P1W", "R/PT1H", "irregular"),
]
DISTRIBUTION = {
    "type": "object",
    "properties": {
        "@type": {"type": "string"},
        "title": TEXT,
        "description": TEXT,
        "format": {"type": "string"},
        "mediaType": {"type": "string"},
        "downloadURL": URI,
        "accessURL": URI,
        "conformsTo": URI,
        "describedBy": URI,
        "describedByType": {"type": "string", "pattern": r"^[a-z\/\.\+]+?$"},
    },
}
DATASET = {
    "type": "object",
    "required": ["title", "description", "identifier", "accessLevel", "modified", "keyword"],
    "properties": {
        "@type": {"type": "string"},
        "title": TEXT,
        "identifier": TEXT,
        "description": TEXT,
        "accessLevel": {"enum": ["public", "restricted public", "non-public"]},
        "accrualPeriodicity": {"enum": FREQUENCIES},
        "describedBy": URI,
        "describedByType": {"type": "string"},
        "issued": {"type": "string"},
        "modified": {"type": "string"},
        "license": URI,
        "spatial": TEXT,
        "temporal": {"type": "string"},
        "isPartOf": TEXT,
        "publisher": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
        "contactPoint": {
            "type": "object",
            "required": ["fn", "hasEmail"],
            "properties": {
                "@type": {"enum": ["vcard:Contact"]},
                "fn": TEXT,
                "hasEmail": {"type": "string", "pattern": r"^mailto:[\w~!$&'()*+,;=:.-]+@[\w.-]+\.[\w.-]+?$"},
            },
        },
        "theme": {"type": "array", "items": TEXT, "uniqueItems": True},
        "keyword": {"type": "array", "items": TEXT, "minItems": 1},
        "distribution": {"type": "array", "items": DISTRIBUTION, "minItems": 1},
        "references": {"type": "array", "items": URI},
    },
}
TYPES = [
    *("string", "number", "integer", "date", "time", "datetime", "year", "yearmonth", "boolean", "object"),
    *("geopoint", "geojson", "array", "duration"),
]
DICTIONARY = {
    "type": "object",
    "required": ["identifier", "data"],
    "properties": {
        "identifier": {"type": "string"},
        "data": {
            "type": "object",
            "required": ["title", "fields"],
            "properties": {
                "title": {"type": "string"},
                "fields": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "type"],
                        "properties": {
                            "name": {"type": "string"},
                            "title": {"type": "string"},
                            "type": {"enum": TYPES},
                            "format": {"type": "string"},
                            "description": {"type": "string"},
                        },
                    },
                },
                "indexes": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["fields", "type"],
                        "properties": {
                            "fields": {
                                "type": "array",
                                "items": {
                                    "type": "object",
                                    "properties": {"name": {"type": "string"}, "length": {"type": "integer"}},
                                },
                            },
                            "type": {"enum": ["index", "fulltext"]},
                            "description": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}
SCHEMAS = {"dataset": DATASET, "data-dictionary": DICTIONARY}


@dataclass
class Revision:
    item: dict
    state: str


def well(call: tuple[str, str]) -> None:
    """Answer each call, a method and a path, as DKAN does."""


@dataclass
class Dkan:
    """What the server keeps, what it was asked, and how it shall misbehave."""

    url: str = ""
    default_state: str = "published"
    may_write: bool = True
    copies: bool = False  # show links to copies on its own address, as with `resource_perspective_display: local_url`
    kept: dict[tuple[str, str], list[Revision]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    misbehave: Callable[[tuple[str, str]], int | str | None] = well  # a status, `drop`, `page` or `lost`

    @property
    def written(self) -> list[tuple[str, str]]:
        """The calls that changed something, in order."""
        return [(method, path.removeprefix(API)) for method, path in self.asked if method != "GET"]

    def item(self, schema: str, id: str) -> dict | None:
        """The published revision of an item, as visitors see it."""
        visible = [r.item for r in self.kept.get((schema, id), []) if r.state in ("published", "hidden")]
        return self._shown(visible[-1]) if visible else None

    def listed(self, schema: str) -> list[dict]:
        ids = [id for kind, id in self.kept if kind == schema]
        return [item for item in (self.item(schema, id) for id in ids) if item]

    def state(self, schema: str, id: str) -> str:
        return self.kept[schema, id][-1].state

    def by_hand(self, schema: str, id: str, change: Callable[[dict], None]) -> None:
        """Somebody changes an item on a page of the portal."""
        item = json.loads(json.dumps(self.kept[schema, id][-1].item))
        change(item)
        self.kept[schema, id].append(Revision(item, "published"))

    def put(self, schema: str, id: str, item: dict) -> tuple[int, dict]:
        if item.get("identifier") != id:
            return 409, {"message": "Identifier cannot be modified"}
        fault = next(jsonschema.Draft202012Validator(SCHEMAS[schema]).iter_errors(item), None)
        if fault:
            pointer = "/".join(str(step) for step in fault.absolute_path)
            return 400, {"message": "JSON Schema validation failed.", "data": {"pointer": pointer}}
        revisions = self.kept.setdefault((schema, id), [])
        cleaned = _purified(item)
        if revisions and revisions[-1].item == cleaned:
            return 403, {"message": f"No changes to {schema} with identifier {id}."}
        revisions.append(Revision(cleaned, self.default_state))
        return (200 if len(revisions) > 1 else 201), {"endpoint": f"{API}{schema}/items/{id}", "identifier": id}

    def _shown(self, item: dict) -> dict:
        shown = {**json.loads(json.dumps(item)), "%modified": "2026-03-04T10:00:00-0500"}
        for file in shown.get("distribution", ()):
            file["%Ref:downloadURL"] = []
            if file.get("describedBy"):
                file["describedBy"] = f"{self.url}{API}data-dictionary/items/{file['describedBy'].rpartition('/')[2]}"
            if self.copies:
                file["downloadURL"] = f"{self.url}/sites/default/files/resources/{_hidden(file['downloadURL'])}"
        return shown


def _hidden(url: str) -> str:
    """A copy's path: what it is a copy of, and its name."""
    return f"{url.encode().hex()}/{urlsplit(url).path.rpartition('/')[2]}"


def _purified(value):
    if isinstance(value, dict):
        return {key: _purified(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_purified(one) for one in value]
    return html.escape(value, quote=False) if isinstance(value, str) else value


@contextmanager
def running() -> Iterator[Dkan]:
    """A DKAN on a port of its own."""
    dkan = Dkan()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self._do
            raise AttributeError(name)

        def _do(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            dkan.asked.append((self.command, self.path))
            fault = dkan.misbehave((self.command, self.path))
            if fault == "drop":
                self.close_connection = True
                self.connection.close()
                return
            if fault == "page":
                self._say(200, b"<html>Bienvenidos</html>", "text/html")
                return
            if fault == "lost":  # done, but the answer is lost on its way
                self._act(body)
                fault = 502
            status, told = (fault, {"message": "Made to fail."}) if fault else self._act(body)
            if isinstance(told, str):
                self.send_response(status)
                self.send_header("Location", told)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            if status >= 400:
                told = {"status": status, "timestamp": "2026-03-04T10:00:00-0500", **told}
            self._say(status, json.dumps(told).encode(), "application/json")

        def _act(self, body):
            if self.path.startswith("/sites/default/files/resources/"):
                return 302, bytes.fromhex(self.path.split("/")[5]).decode()
            if not self.path.startswith(API):
                return 404, {"message": "No route found"}
            signed = self.headers.get("Authorization")
            right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            if signed not in (None, right):
                return 401, {"message": "Wrong credentials."}
            schema, _, id, *rest = [*self.path.removeprefix(API).split("/"), ""]
            privileged = self.command != "GET" or rest[:1] == ["revisions"]
            if privileged and not (signed and dkan.may_write):
                return 403, {"message": "The 'post put delete datasets through the api' permission is required."}
            return self._answer(schema, id, rest[:1] == ["revisions"], json.loads(body or "null"))

        def _answer(self, schema, id, revisions, sent):  # noqa: PLR0911
            kept = dkan.kept.get((schema, id), [])
            missing = 404, {"message": f"No {schema} found with identifier {id}."}
            match self.command, bool(id), revisions:
                case "GET", False, _:
                    return 200, dkan.listed(schema)
                case "GET", True, False:
                    item = dkan.item(schema, id)
                    return (200, item) if item else missing
                case "GET", True, True:
                    told = [{"identifier": str(n), "state": r.state} for n, r in enumerate(kept)][::-1]
                    return (200, told) if told else missing
                case "POST", True, True:
                    kept.append(Revision(kept[-1].item, sent["state"]))
                    return 201, {"endpoint": self.path, "identifier": str(len(kept))}
                case "PUT", True, False:
                    return dkan.put(schema, id, sent)
                case "DELETE", True, False:
                    return (200, {"message": "deleted"}) if dkan.kept.pop((schema, id), None) else missing
            return 405, {"message": "Method not allowed"}

        def _say(self, status, body, kind):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        dkan.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield dkan
        finally:
            server.shutdown()
            thread.join()
