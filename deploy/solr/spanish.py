"""CKAN's own Solr schema with Spanish filters in place of the English stemmer, generated so that an upgrade carries on.

Words are lowered and lose their accents before anything else looks at them, so that «niños» is found by `ninos`; then
synonyms (asked words only) and the stemmer for Spanish plurals: stronger ones part `hogar` from `hogares`, or leave
short words such as `niño` alone. Source: Solr Reference Guide, Language Analysis.
"""

from __future__ import annotations

import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

LOWER = "solr.LowerCaseFilterFactory"
FOLD = "solr.ASCIIFoldingFilterFactory"
SYNONYM = "solr.SynonymGraphFilterFactory"
ENGLISH = "solr.SnowballPorterFilterFactory"
STEM = "solr.SpanishPluralStemFilterFactory"
REPLACED = (LOWER, FOLD, SYNONYM, ENGLISH)


class UnknownSchema(Exception):
    """CKAN's schema is not as this was written for; the text says what is missing."""


def spanish(schema: str) -> str:
    """The schema with the analysis of its `text` fields in Spanish."""
    root = ET.fromstring(schema)  # noqa: S314 CKAN's own file
    analyzers = root.findall(".//fieldType[@name='text']/analyzer")
    if {a.get("type") for a in analyzers} != {"index", "query"}:
        raise UnknownSchema("the field type 'text' has no two analyzers, index and query")
    for analyzer in analyzers:
        known = {f.get("class") for f in analyzer.findall("filter")}
        if ENGLISH not in known:
            raise UnknownSchema(f"the {analyzer.get('type')} analyzer of 'text' has no stemmer to replace")
        for found in analyzer.findall("filter"):
            if found.get("class") in REPLACED:
                analyzer.remove(found)
        wanted: list[dict[str, str]] = [{"class": LOWER}, {"class": FOLD}]
        if analyzer.get("type") == "query":
            wanted.append({"class": SYNONYM, "synonyms": "synonyms.txt", "ignoreCase": "true", "expand": "true"})
        for attributes in (*wanted, {"class": STEM}):
            ET.SubElement(analyzer, "filter", attributes)
    return ET.tostring(root, encoding="unicode", xml_declaration=False)


def synonyms(own: str, names: Iterable[Sequence[str]]) -> str:
    """synonyms.txt: the project's own words, then each programme's names, old and new.

    >>> synonyms("padron, registro\\n", [("Qali Warma", "Wasi Mikuna"), ("Contigo",)]).splitlines()
    ['padron, registro', 'qali warma, wasi mikuna']
    """
    lines = [", ".join(folded(name) for name in dict.fromkeys(group)) for group in names if len(set(group)) > 1]
    return "\n".join([own.rstrip(), *lines]) + "\n"


def folded(text: str) -> str:
    """Lower case, without accents: as the filters before the synonyms leave a word.

    >>> folded("Haku Wiñay (Foncodes)")
    'haku winay foncodes'
    """
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return " ".join("".join(c if c.isalnum() else " " for c in plain).split())
