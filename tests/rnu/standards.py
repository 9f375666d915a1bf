"""What the standards ask of a catalogue, written from them, for whatever portal it comes from."""

from datetime import datetime
from xml.etree import ElementTree

import jsonschema
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.namespace import DCTERMS, FOAF, RDF, RDFS, XSD

# --- Project Open Data 1.1: https://project-open-data.cio.gov/v1.1/schema/ ---------------------------------------

TEXT = {"type": "string", "minLength": 1}
URL = {"type": "string", "pattern": "^https?://[^ ]+$"}
DAY = r"\d{4}-(0[1-9]|1[0-2])-([0-2]\d|3[01])"
DATE = {"type": "string", "pattern": rf"^{DAY}(T[\d:.]+(Z|[+-]\d\d:\d\d))?$"}
MEDIA_TYPE = {"type": "string", "pattern": r"^[a-z]+/[A-Za-z0-9.+-]+$"}
DISTRIBUTION = {
    "type": "object",
    # with a file come its media type and its address; without, an accessURL
    "anyOf": [{"required": ["downloadURL", "mediaType"]}, {"required": ["accessURL"]}],
    "required": ["@type"],
    "properties": {
        "@type": {"const": "dcat:Distribution"},
        "title": TEXT,
        "description": TEXT,
        "downloadURL": URL,
        "accessURL": URL,
        "mediaType": MEDIA_TYPE,
        "format": TEXT,
        "describedBy": URL,
        "describedByType": MEDIA_TYPE,
        "conformsTo": URL,
    },
    "additionalProperties": False,
}
DATASET = {
    "type": "object",
    "required": [
        *("@type", "title", "description", "keyword", "modified", "publisher", "contactPoint", "identifier"),
        *("accessLevel", "license"),
    ],
    "properties": {
        "@type": {"const": "dcat:Dataset"},
        "title": TEXT,
        "description": TEXT,
        "keyword": {"type": "array", "minItems": 1, "items": TEXT},
        "theme": {"type": "array", "minItems": 1, "items": TEXT},
        "issued": DATE,
        "modified": DATE,
        "publisher": {
            "type": "object",
            "required": ["name"],
            "properties": {"@type": {"const": "org:Organization"}, "name": TEXT},
            "additionalProperties": False,
        },
        "contactPoint": {
            "type": "object",
            "required": ["fn", "hasEmail"],
            "properties": {
                "@type": {"const": "vcard:Contact"},
                "fn": TEXT,
                "hasEmail": {"type": "string", "pattern": "^mailto:[^@ ]+@[^@ ]+$"},
            },
            "additionalProperties": False,
        },
        "identifier": TEXT,
        "accessLevel": {"enum": ["public", "restricted public", "non-public"]},
        "license": URL,
        "language": {"type": "array", "minItems": 1, "items": {"pattern": "^[a-z]{2}(-[A-Z]{2})?$"}},
        "temporal": {"type": "string", "pattern": f"^{DAY}/{DAY}$"},
        "spatial": TEXT,
        "accrualPeriodicity": {"type": "string", "pattern": r"^(irregular|R/P(T?[\d.]+[YMWDHS]))$"},
        "landingPage": URL,
        "describedBy": URL,
        "describedByType": MEDIA_TYPE,
        "references": {"type": "array", "minItems": 1, "items": URL},
        "distribution": {"type": "array", "minItems": 1, "items": DISTRIBUTION},
    },
    "additionalProperties": False,
}
POD = {
    "type": "object",
    "required": ["conformsTo", "dataset"],
    "properties": {
        "@context": {"const": "https://project-open-data.cio.gov/v1.1/schema/catalog.jsonld"},
        "@id": URL,
        "@type": {"const": "dcat:Catalog"},
        "conformsTo": {"const": "https://project-open-data.cio.gov/v1.1/schema"},
        "describedBy": {"const": "https://project-open-data.cio.gov/v1.1/schema/catalog.json"},
        "dataset": {"type": "array", "items": DATASET},
    },
    "additionalProperties": False,
}


def check_pod(data: dict) -> None:
    """Valid, and no dataset twice."""
    jsonschema.validate(data, POD)
    identifiers = [dataset["identifier"] for dataset in data["dataset"]]
    assert len(identifiers) == len(set(identifiers)) > 0


# --- DCAT-AP 3: https://semiceu.github.io/DCAT-AP/releases/3.0.0/ ------------------------------------------------

DCAT = Namespace("http://www.w3.org/ns/dcat#")  # version 3: rdflib knows the second
DCATAP = Namespace("http://data.europa.eu/r5r/")
SPDX = Namespace("http://spdx.org/rdf/terms#")
VCARD = Namespace("http://www.w3.org/2006/vcard/ns#")
# of each class: properties that are mandatory or recommended; those in Spanish; how often a property may stand
ASKED = {
    DCAT.Catalog: (
        *(DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCAT.dataset),
        *(DCTERMS.issued, DCTERMS.modified, DCTERMS.language, DCTERMS.license, DCTERMS.spatial),
        *(DCAT.themeTaxonomy, FOAF.homepage),
    ),
    DCAT.Dataset: (
        *(DCTERMS.title, DCTERMS.description, DCTERMS.publisher, DCTERMS.spatial, DCTERMS.temporal),
        *(DCAT.contactPoint, DCAT.distribution, DCAT.keyword, DCAT.theme, DCTERMS.identifier, DCTERMS.issued),
        *(DCTERMS.modified, DCTERMS.accrualPeriodicity, DCTERMS.accessRights, DCTERMS.language, DCTERMS.provenance),
        *(DCAT.landingPage, DCAT.version),
    ),
    DCAT.Distribution: (
        *(DCAT.accessURL, DCTERMS.description, DCTERMS.format, DCTERMS.license, DCATAP.availability),
        *(DCAT.downloadURL, DCAT.mediaType, DCAT.byteSize, SPDX.checksum, DCTERMS.title),
    ),
    FOAF.Agent: (FOAF.name,),
    VCARD.Kind: (VCARD.fn, VCARD.hasEmail),
    DCTERMS.PeriodOfTime: (DCAT.startDate, DCAT.endDate),
    DCTERMS.ProvenanceStatement: (RDFS.label,),
    SPDX.Checksum: (SPDX.algorithm, SPDX.checksumValue),
}
IN_SPANISH = (DCTERMS.title, DCTERMS.description, DCAT.keyword, FOAF.name, VCARD.fn, RDFS.label)
AT_MOST_ONE = (
    *(DCTERMS.publisher, DCTERMS.issued, DCTERMS.modified, DCTERMS.accrualPeriodicity, DCTERMS.accessRights),
    *(DCTERMS.license, DCTERMS["format"], DCAT.mediaType, DCAT.byteSize, SPDX.checksum, DCATAP.availability),
)
TYPED = {
    DCTERMS.issued: XSD.date,
    DCTERMS.modified: XSD.date,
    DCAT.startDate: XSD.date,
    DCAT.endDate: XSD.date,
    DCAT.byteSize: XSD.nonNegativeInteger,
    DCAT.temporalResolution: XSD.duration,
    SPDX.checksumValue: XSD.hexBinary,
}
VOCABULARIES = {
    DCTERMS.accrualPeriodicity: "http://publications.europa.eu/resource/authority/frequency/",
    DCTERMS.accessRights: "http://publications.europa.eu/resource/authority/access-right/",
    DCTERMS.language: "http://publications.europa.eu/resource/authority/language/",
    DCTERMS["format"]: "http://publications.europa.eu/resource/authority/file-type/",
    DCAT.theme: "http://publications.europa.eu/resource/authority/data-theme/",
    DCAT.mediaType: "https://www.iana.org/assignments/media-types/",
}


def check_dcat(graph: Graph) -> None:
    """What DCAT-AP makes mandatory or recommends is there, once where it may be once, typed, and in Spanish."""
    for kind, properties in ASKED.items():
        for node in graph.subjects(RDF.type, kind):
            for asked in properties:
                assert list(graph.objects(node, asked)), (node, asked)
            for single in AT_MOST_ONE:
                assert len(set(graph.objects(node, single))) <= 1, (node, single)
    for words in IN_SPANISH:
        for node, value in graph.subject_objects(words):
            assert isinstance(value, Literal) and value.language == "es", (node, words, value)
    for dated, kind in TYPED.items():
        for node, value in graph.subject_objects(dated):
            assert value.datatype == kind and not value.ill_typed, (node, dated, value)
    for listed, vocabulary in VOCABULARIES.items():
        for node, value in graph.subject_objects(listed):
            assert isinstance(value, URIRef) and value.startswith(vocabulary), (node, listed, value)


# --- Atom: RFC 4287 ----------------------------------------------------------------------------------------------

ATOM = "{http://www.w3.org/2005/Atom}"


def check_atom(text: str) -> list[str]:
    """A valid feed in Spanish, newest entry first; gives the titles of its entries."""
    feed = ElementTree.fromstring(text)
    assert feed.tag == f"{ATOM}feed"
    assert feed.get("{http://www.w3.org/XML/1998/namespace}lang") == "es"
    entries = feed.findall(f"{ATOM}entry")
    for node in (feed, *entries):
        for asked in ("id", "title", "updated"):
            assert len(node.findall(f"{ATOM}{asked}")) == 1, asked
        alternates = [one for one in node.findall(f"{ATOM}link") if one.get("rel", "alternate") == "alternate"]
        assert len(alternates) == 1
        assert alternates[0].get("href").startswith("http")
    (own,) = [one for one in feed.findall(f"{ATOM}link") if one.get("rel") == "self"]
    assert own.get("href").startswith("http")
    assert feed.find(f"{ATOM}author/{ATOM}name").text
    changed = [datetime.fromisoformat(entry.find(f"{ATOM}updated").text) for entry in entries]
    assert changed == sorted(changed, reverse=True)
    assert datetime.fromisoformat(feed.find(f"{ATOM}updated").text) == changed[0]
    ids = [entry.find(f"{ATOM}id").text for entry in entries]
    assert len(ids) == len(set(ids))
    return [entry.find(f"{ATOM}title").text for entry in entries]


# --- Croissant 1.0: https://docs.mlcommons.org/croissant/docs/croissant-spec.html --------------------------------


def check_croissant(node: dict) -> None:
    """The required properties, names that stand once, references that lead somewhere, columns with a type."""
    assert node["@type"] == "sc:Dataset"
    assert node["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert node["@context"]["cr"] == "http://mlcommons.org/croissant/"
    assert node["@context"]["@vocab"] == node["@context"]["sc"] == "https://schema.org/"
    for asked in ("name", "description", "license", "url", "creator", "datePublished", "version"):
        assert node[asked], asked
    assert [int(part) for part in node["version"].split(".")][2:], "major.minor.patch"
    files = {file["@id"]: file for file in node["distribution"]}
    assert len(files) == len(node["distribution"]) > 0
    for file in files.values():
        assert file["@type"] == "cr:FileObject"
        assert file["name"] and file["contentUrl"].startswith("http") and file["encodingFormat"]
        assert len(file["sha256"]) == 64
    sets = {one["@id"] for one in node["recordSet"]}
    assert len(sets) == len(node["recordSet"]) > 0
    for one in node["recordSet"]:
        fields = {field["@id"]: field for field in one["field"]}
        assert {key["@id"] for key in one["key"]} <= fields.keys()
        for id, field in fields.items():
            assert id == f"{one['@id']}/{field['name']}"
            assert field["dataType"] in ("sc:Text", "sc:Integer", "sc:Float")
            assert field["source"]["fileObject"]["@id"] in files
            assert field["source"]["extract"]["column"] == field["name"]


# --- schema.org: what Google asks of a Dataset -------------------------------------------------------------------


def check_schema_org(node: dict) -> None:
    """The required and recommended properties of a dataset."""
    assert (node["@context"], node["@type"]) == ("https://schema.org/", "Dataset")
    assert 50 <= len(node["description"]) <= 5000
    for asked in (
        *("name", "creator", "license", "identifier", "keywords", "temporalCoverage", "spatialCoverage", "version"),
        *("variableMeasured", "citation", "isAccessibleForFree"),
    ):
        assert node[asked], asked
    for file in node["distribution"]:
        assert file["@type"] == "DataDownload"
        assert file["contentUrl"].startswith("http") and file["encodingFormat"]
