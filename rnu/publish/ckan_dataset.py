"""A cube as a CKAN dataset: fields of DCAT-AP as ckanext-dcat reads them, and the register's own (`rnu_…`)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from rnu.publish import words
from rnu.publish.catalogue import EU, PERU, SPANISH, THEME
from rnu.publish.changes import changes
from rnu.publish.dataset import Dataset, Download, RateShown
from rnu.release.columns import LEVEL_TITLES
from rnu.settings import Institution, Portal

Node = dict[str, Any]

SERIES = "serie"  # all periods in one file, with a table behind it
RELEASE = "publicacion"  # a file of the newest release, as it was signed
PROOF = "certificados"  # figures and certificates of the newest release, as they were signed
STAGING = "preparacion"
# what CKAN itself sets, and what therefore tells nothing of somebody's hand
VOLATILE = frozenset(
    (
        *("metadata_modified", "metadata_created", "rnu_escrito", "num_resources", "num_tags", "organization", "state"),
        *("last_modified", "created", "creator_user_id", "revision_id", "position", "cache_last_updated"),
    )
)


def package(dataset: Dataset, portal: Portal, institution: Institution) -> Node:
    """All that a dataset shall show, but for its state; the same releases give the same."""
    name = f"{portal.prefix}-{dataset.id}".replace("_", "-")
    page = f"{portal.url}/dataset/{name}"
    first, last = dataset.span
    protection = dataset.protection()
    publisher = {"name": institution.name, "email": institution.email, "url": portal.url}
    return {
        "name": name,
        "title": dataset.title,
        "notes": "\n\n".join([dataset.description, *(f"**{note}**" for note in dataset.notes())]),
        "tags": [{"name": word} for word in dataset.keywords],
        "owner_org": portal.organization,
        "license_id": portal.license_id,
        "url": page,
        "identifier": page,
        "version": dataset.latest.name,
        "issued": dataset.issued.isoformat(),
        "modified": dataset.modified.isoformat(),
        "contact": [{"name": institution.contact, "email": institution.email}],
        "publisher": [publisher],
        "frequency": f"{EU}/frequency/MONTHLY",
        "access_rights": f"{EU}/access-right/PUBLIC",
        "language": [SPANISH],
        "temporal_coverage": [{"start": first.isoformat(), "end": last.isoformat()}],
        "spatial_coverage": [{"uri": PERU, "text": "Perú"}],
        "theme": [THEME[0]],
        "provenance": dataset.origin(institution),
        "rnu_cuadro": dataset.id,
        "rnu_medida": dataset.measure_label,
        "rnu_cita": dataset.citation(institution, page),
        "rnu_licencia": institution.licence,
        "rnu_periodo": str(dataset.latest.period),
        "rnu_proximo_periodo": str(dataset.latest.period.minus(-1)),
        "rnu_periodos": [str(p.period) for p in dataset.periods],
        "rnu_programas": [name for _, name in dataset.programmes],
        "rnu_niveles": [LEVEL_TITLES[level.level] for level in dataset.levels],
        "rnu_umbrales": _json(protection["umbrales"]),
        "rnu_proteccion": _json(protection),
        "rnu_calidad": _json(dataset.quality()),
        "rnu_publicaciones": _json(
            [
                {
                    **{"nombre": p.name, "periodo": str(p.period), "digest": p.digest, "fecha": p.decided.isoformat()},
                    "cambios": [change.as_json() for change in changed],
                }
                for p, changed in zip(dataset.history, changes(dataset.history, dataset.id), strict=True)
            ]
        ),
        "rnu_notas": _json(dataset.notes()),
        "rnu_reglas": _json(list(dataset.rules)) if dataset.rules else "",
        "rnu_tasas": _json([_told(rate) for rate in dataset.rates]) if dataset.rules else "",
        "rnu_digest": dataset.latest.digest,
        "rnu_retirado": "",
        "resources": [
            {**_resource(name, file, level, role, institution), **_table(dataset, level, role, portal)}
            for file, level, role in files(dataset)
        ],
    }


def _told(rate: RateShown) -> Node:
    """A national rate for the dataset's page."""
    said = words.sentence(rate.rate, rate.percentage) if rate.percentage is not None else ""
    return {"programa": rate.name, "tasa": rate.rate, "frase": said, "marca": rate.mark}


def files(dataset: Dataset) -> list[tuple[Download, str, str]]:
    """Every file with its level and role: per level the series, then the newest release's other formats; the proof."""
    of_levels = [
        (file, level.level, role)
        for level in dataset.levels
        for file, role in (
            (level.series, SERIES),
            *((own, RELEASE) for own in level.latest if own.format != level.series.format),
        )
    ]
    return [*of_levels, *([(dataset.proof, "", PROOF)] if dataset.proof else [])]


def _resource(name: str, file: Download, level: str, role: str, institution: Institution) -> Node:
    return {
        "id": resource_id(name, level, file.format),
        "name": file.title,
        "description": file.description,
        "url": file.path.rpartition("/")[2],
        "url_type": "upload",
        "format": file.format.upper(),
        "mimetype": file.media_type,
        "size": file.bytes,
        "hash": file.sha256,
        "hash_algorithm": "http://spdx.org/rdf/terms#checksumAlgorithm_sha256",
        "license": institution.licence_url,
        "language": [SPANISH],
        "rnu_nivel": level,
        "rnu_papel": role,
    }


def _table(dataset: Dataset, level: str, role: str, portal: Portal) -> Node:
    """What only a resource with a table behind it has."""
    if role != SERIES:
        return {}
    schema = next(one.schema for one in dataset.levels if one.level == level)
    return {"datastore_active": True, "rnu_tabla": alias(dataset, level, portal), "rnu_esquema": _json(schema)}


def resource_id(package_name: str, level: str, format: str) -> str:
    """A resource's id for good: the address of its file and of its table's API hang on it."""
    return str(uuid5(NAMESPACE_URL, f"{package_name}/{level}/{format}"))


def alias(dataset: Dataset, level: str, portal: Portal) -> str:
    """A table's name for good, beside its resource's id: rnu_usuarios_distrito."""
    return f"{portal.prefix}_{dataset.id}_{level}"


def staging(target: Node, portal: Portal) -> Node:
    """The private dataset under which new tables of a dataset are loaded."""
    return {
        "name": f"{target['name']}-en-preparacion",
        "title": f"{target['title']} (en preparación)",
        "notes": "Tablas que se cargan y comparan antes de que alguien las vea.",
        "owner_org": portal.organization,
        "private": True,
        "rnu_cuadro": target["rnu_cuadro"],
        "rnu_papel": STAGING,
    }


def without_files(target: Node) -> list[Node]:
    """A dataset's resources before they have a file or a table."""
    return [{**r, "url": "", "url_type": "", "datastore_active": False, "size": 0} for r in target["resources"]]


def digests(live: Mapping[str, Any]) -> tuple[str, ...]:
    """Digests of the releases that a dataset of the portal shows."""
    return tuple(one["digest"] for one in json.loads(live.get("rnu_publicaciones") or "[]"))


def state(live: Mapping[str, Any]) -> str:
    """SHA-256 of all that somebody could have changed by hand in a dataset as the portal gives it."""
    return hashlib.sha256(_json(_lasting(live)).encode()).hexdigest()


def _lasting(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {k: _lasting(v) for k, v in value.items() if k not in VOLATILE}
        if kept.get("url_type") == "upload":  # CKAN puts its own address before an upload's name, today's address
            kept["url"] = str(kept["url"]).rsplit("/", 1)[-1]
        return kept
    return [_lasting(one) for one in value] if isinstance(value, list) else value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
