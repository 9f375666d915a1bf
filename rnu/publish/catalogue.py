"""Catalogues that other portals harvest: Project Open Data 1.1, DCAT as JSON-LD, schema.org.

POD: https://project-open-data.cio.gov/v1.1/schema/ (what DKAN harvests). DCAT: DCAT-AP 3. Dates come from the
releases and their signatures, never from a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rnu.publish.dataset import Dataset, Download
from rnu.settings import Institution, Portal

Node = dict[str, Any]

MONTHLY = "R/P1M"
POD = "https://project-open-data.cio.gov/v1.1/schema"
EU = "http://publications.europa.eu/resource/authority"
FILE_TYPES = {"csv": "CSV", "xlsx": "XLSX", "parquet": "PARQUET"}
CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "vcard": "http://www.w3.org/2006/vcard/ns#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def span(dataset: Dataset) -> tuple[str, str]:
    """First and last day that the dataset tells of."""
    return f"{dataset.periods[0].period}-01", dataset.latest.period.last_day().isoformat()


def modified(dataset: Dataset) -> str:
    """The day of its last signature."""
    return max(p.decided for p in dataset.history).isoformat()


def issued(dataset: Dataset) -> str:
    """The day on which its first release was approved."""
    return min(p.decided for p in dataset.history).isoformat()


def _downloads(dataset: Dataset) -> list[Download]:
    """All periods first: the file that stays at its address and grows."""
    return [file for level in dataset.levels for file in (level.series, *level.latest)]


# --- Project Open Data 1.1 ---------------------------------------------------------------------------------------


def pod(datasets: Sequence[Dataset], portal: Portal, institution: Institution) -> Node:
    """`data.json`."""
    return {
        "@context": f"{POD}/catalog.jsonld",
        "@id": f"{portal.url}/data.json",
        "@type": "dcat:Catalog",
        "conformsTo": POD,
        "describedBy": f"{POD}/catalog.json",
        "dataset": [_pod_dataset(dataset, portal, institution) for dataset in datasets],
    }


def _pod_dataset(dataset: Dataset, portal: Portal, institution: Institution) -> Node:
    page = f"{portal.url}/{dataset.path}"
    return {
        "@type": "dcat:Dataset",
        "identifier": page,
        "title": dataset.title,
        "description": dataset.description,
        "keyword": list(dataset.keywords) or [institution.register_name],
        "issued": issued(dataset),
        "modified": modified(dataset),
        "publisher": {"@type": "org:Organization", "name": institution.name},
        "contactPoint": {
            "@type": "vcard:Contact",
            "fn": institution.contact,
            "hasEmail": f"mailto:{institution.email}",
        },
        "accessLevel": "public",
        "accrualPeriodicity": MONTHLY,
        "license": institution.licence_url,
        "language": ["es"],
        "temporal": "/".join(span(dataset)),
        "spatial": "Perú",
        "landingPage": page,
        "distribution": [
            {
                "@type": "dcat:Distribution",
                "title": file.title,
                "downloadURL": f"{portal.url}/{file.path}",
                "mediaType": file.media_type,
                "format": file.format.upper(),
            }
            for file in _downloads(dataset)
        ],
    }


# --- DCAT --------------------------------------------------------------------------------------------------------


def dcat(datasets: Sequence[Dataset], portal: Portal, institution: Institution) -> Node:
    """`catalogo.jsonld`."""
    publisher = f"{portal.url}/#institucion"
    return {
        "@context": CONTEXT,
        "@id": f"{portal.url}/catalogo.jsonld",
        "@type": "dcat:Catalog",
        "dct:title": _es(portal.title),
        "dct:description": _es(f"{institution.register_name}: cuadros protegidos, sin datos de personas."),
        "dct:language": _language(),
        "dct:license": _licence(institution),
        "dct:publisher": {
            "@id": publisher,
            "@type": "foaf:Agent",
            "foaf:name": _es(institution.name),
            "foaf:mbox": {"@id": f"mailto:{institution.email}"},
        },
        "foaf:homepage": {"@id": f"{portal.url}/", "@type": "foaf:Document"},
        "dcat:dataset": [_dcat_dataset(dataset, portal, institution, publisher) for dataset in datasets],
    }


def _dcat_dataset(dataset: Dataset, portal: Portal, institution: Institution, publisher: str) -> Node:
    page = f"{portal.url}/{dataset.path}"
    start, end = span(dataset)
    return {
        "@id": page,
        "@type": "dcat:Dataset",
        "dct:identifier": page,
        "dct:title": _es(dataset.title),
        "dct:description": _es(dataset.description),
        "dcat:keyword": [_es(word) for word in dataset.keywords],
        "dct:issued": _date(issued(dataset)),
        "dct:modified": _date(modified(dataset)),
        "dct:publisher": {"@id": publisher},
        "dcat:contactPoint": {
            "@type": "vcard:Kind",
            "vcard:fn": institution.contact,
            "vcard:hasEmail": {"@id": f"mailto:{institution.email}"},
        },
        "dct:accrualPeriodicity": {"@id": f"{EU}/frequency/MONTHLY", "@type": "dct:Frequency"},
        "dct:accessRights": {"@id": f"{EU}/access-right/PUBLIC", "@type": "dct:RightsStatement"},
        "dct:language": _language(),
        "dct:spatial": {"@id": f"{EU}/country/PER", "@type": "dct:Location"},
        "dct:temporal": {
            "@type": "dct:PeriodOfTime",
            "dcat:startDate": _date(start),
            "dcat:endDate": _date(end),
        },
        "dcat:landingPage": {"@id": page, "@type": "foaf:Document"},
        "dcat:distribution": [_dcat_file(file, portal, institution, page) for file in _downloads(dataset)],
    }


def _dcat_file(file: Download, portal: Portal, institution: Institution, page: str) -> Node:
    url = f"{portal.url}/{file.path}"
    return {
        "@id": f"{url}#distribucion",
        "@type": "dcat:Distribution",
        "dct:title": _es(file.title),
        "dcat:accessURL": {"@id": page, "@type": "rdfs:Resource"},
        "dcat:downloadURL": {"@id": url, "@type": "rdfs:Resource"},
        "dct:license": _licence(institution),
        "dct:format": {"@id": f"{EU}/file-type/{FILE_TYPES[file.format]}", "@type": "dct:MediaTypeOrExtent"},
        "dcat:mediaType": {
            "@id": f"https://www.iana.org/assignments/media-types/{file.media_type}",
            "@type": "dct:MediaType",
        },
        "dcat:byteSize": {"@value": str(file.bytes), "@type": "xsd:nonNegativeInteger"},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256", "@type": "spdx:ChecksumAlgorithm"},
            "spdx:checksumValue": {"@value": file.sha256, "@type": "xsd:hexBinary"},
        },
    }


def _es(text: str) -> Node:
    return {"@value": text, "@language": "es"}


def _date(text: str) -> Node:
    return {"@value": text, "@type": "xsd:date"}


def _language() -> Node:
    return {"@id": f"{EU}/language/SPA", "@type": "dct:LinguisticSystem"}


def _licence(institution: Institution) -> Node:
    return {"@id": institution.licence_url, "@type": "dct:LicenseDocument"}


# --- schema.org --------------------------------------------------------------------------------------------------


def schema_org(dataset: Dataset, portal: Portal, institution: Institution) -> Node:
    """What search engines read on a dataset's page."""
    page = f"{portal.url}/{dataset.path}"
    organisation = {"@type": "Organization", "name": institution.name, "email": institution.email}
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": page,
        "url": page,
        "identifier": page,
        "name": dataset.title,
        "description": f"{dataset.description} {institution.register_name}, {institution.name}.",
        "keywords": list(dataset.keywords),
        "creator": organisation,
        "publisher": organisation,
        "license": institution.licence_url,
        "isAccessibleForFree": True,
        "inLanguage": "es",
        "dateModified": modified(dataset),
        "temporalCoverage": "/".join(span(dataset)),
        "spatialCoverage": "Perú",
        "variableMeasured": dataset.measure_label,
        "distribution": [
            {
                "@type": "DataDownload",
                "name": file.title,
                "contentUrl": f"{portal.url}/{file.path}",
                "encodingFormat": file.media_type,
                "contentSize": f"{file.bytes} B",
                "sha256": file.sha256,
            }
            for file in _downloads(dataset)
        ],
    }
