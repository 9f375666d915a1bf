"""A dataset for programs: Data Package, schema.org and Croissant.

Data Package: https://specs.frictionlessdata.io/tabular-data-package/. Croissant 1.0:
https://docs.mlcommons.org/croissant/docs/croissant-spec.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rnu.publish.entry import Entry, File

Node = dict[str, Any]

# Croissant's own context, as its specification prints it, with our language.
CROISSANT_CONTEXT: Node = {
    "@language": "es",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
# A month stays text: no type of schema.org holds one without a day.
_DATA_TYPES = {"integer": "sc:Integer", "number": "sc:Float"}


def beside(file: File) -> str:
    """A table's address in a Data Package that stands in the same folder."""
    return file.name


def anywhere(file: File) -> str:
    """A table's address in a Data Package that stands elsewhere."""
    return file.url


def datapackage(entry: Entry, address: Callable[[File], str]) -> Node:
    """`datapackage.json`: every table with all its periods, and its Table Schema."""
    return {
        "profile": "data-package",
        "name": entry.name,
        "id": entry.uri,
        "title": entry.title,
        "description": entry.description,
        "homepage": entry.page,
        "version": entry.version,
        "created": f"{entry.modified}T00:00:00Z",
        "keywords": list(entry.keywords),
        "licenses": [{"title": entry.licence.name, "path": entry.licence.url}],
        "sources": [{"title": entry.origin}],
        "contributors": [
            {"title": entry.publisher.name, "role": "publisher", "email": entry.publisher.email},
            {"title": entry.publisher.contact, "role": "contact", "email": entry.publisher.email},
        ],
        "resources": [
            {
                "name": _stem(file),
                "profile": "tabular-data-resource",
                "path": address(file),
                "title": f"{entry.title}: {file.title.lower()}",
                "description": file.description,
                "format": file.format,
                "mediatype": file.media_type,
                "encoding": "utf-8",
                "bytes": file.bytes,
                "hash": f"sha256:{file.sha256}",
                "schema": file.schema,
            }
            for file in entry.tables
        ],
    }


def schema_org(entry: Entry) -> Node:
    """What search engines read on a dataset's page."""
    organisation = {
        "@type": "Organization",
        "name": entry.publisher.name,
        "contactPoint": {
            "@type": "ContactPoint",
            "contactType": entry.publisher.contact,
            "email": entry.publisher.email,
        },
    }
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        "@id": entry.uri,
        "url": entry.page,
        "identifier": entry.uri,
        "name": entry.title,
        "description": f"{entry.description} {entry.origin}",
        "keywords": list(entry.keywords),
        "version": entry.version,
        "creator": organisation,
        "publisher": organisation,
        "license": entry.licence.url,
        "citation": entry.citation,
        "isAccessibleForFree": True,
        "inLanguage": "es",
        "datePublished": entry.issued,
        "dateModified": entry.modified,
        "temporalCoverage": "/".join(entry.span),
        "spatialCoverage": {"@type": "Place", "name": "Perú"},
        "variableMeasured": entry.measure,
        "distribution": [
            {
                "@type": "DataDownload",
                "name": file.title,
                "description": file.description,
                "contentUrl": file.url,
                "encodingFormat": file.media_type,
                "contentSize": f"{file.bytes} B",
                "sha256": file.sha256,
            }
            for file in entry.files
        ],
    }


def croissant(entry: Entry) -> Node:
    """A dataset as loaders of machine learning read it: its tables, and every column with its type."""
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "@id": entry.uri,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": entry.name,
        "alternateName": entry.title,
        "description": entry.description,
        "url": entry.page,
        "version": _semantic(entry.version),
        "keywords": list(entry.keywords),
        "inLanguage": "es",
        "license": entry.licence.url,
        "citeAs": entry.citation,
        "creator": {"@type": "Organization", "name": entry.publisher.name, "email": entry.publisher.email},
        "publisher": {"@type": "Organization", "name": entry.publisher.name, "email": entry.publisher.email},
        "datePublished": entry.issued,
        "dateModified": entry.modified,
        "isLiveDataset": True,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file.name,
                "name": file.name,
                "description": f"{file.title}. {file.description}",
                "contentUrl": file.url,
                "contentSize": f"{file.bytes} B",
                "encodingFormat": file.media_type,
                "sha256": file.sha256,
            }
            for file in entry.tables
        ],
        "recordSet": [_record_set(file, file.schema) for file in entry.tables if file.schema],
    }


def _record_set(file: File, schema: Node) -> Node:
    name = _stem(file)
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": f"{file.title}. {file.description}",
        "key": [{"@id": f"{name}/{column}"} for column in schema["primaryKey"]],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field['name']}",
                "name": field["name"],
                "description": f"{field['title']}. {field['description']}",
                "dataType": _DATA_TYPES.get(field["type"], "sc:Text"),
                "source": {"fileObject": {"@id": file.name}, "extract": {"column": field["name"]}},
            }
            for field in schema["fields"]
        ],
    }


def _stem(file: File) -> str:
    return file.name.rpartition(".")[0]


def _semantic(version: str) -> str:
    """A release's name as the three numbers that Croissant wants.

    >>> _semantic("2026-02-r1")
    '2026.2.1'
    """
    return ".".join(str(int(number)) for number in re.findall(r"\d+", version))
