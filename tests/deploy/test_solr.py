"""The Spanish schema is made from CKAN's, whatever else stands in that."""

import xml.etree.ElementTree as ET

import pytest

from deploy.solr.spanish import UnknownSchema, spanish

SCHEMA = """<schema><types><fieldType name="text"><analyzer type="index"><tokenizer class="solr.W"/>
<filter class="solr.FlattenGraphFilterFactory"/><filter class="solr.LowerCaseFilterFactory"/>
<filter class="solr.SnowballPorterFilterFactory" language="English"/><filter class="solr.ASCIIFoldingFilterFactory"/>
</analyzer><analyzer type="query"><tokenizer class="solr.W"/><filter class="solr.SynonymGraphFilterFactory"/>
<filter class="solr.LowerCaseFilterFactory"/><filter class="solr.SnowballPorterFilterFactory"/></analyzer></fieldType>
<fieldType name="other"><analyzer><filter class="solr.SnowballPorterFilterFactory"/></analyzer></fieldType></types>
</schema>"""


def filters(schema: str, name: str, kind: str = "") -> list[str]:
    analyzers = ET.fromstring(schema).findall(f".//fieldType[@name='{name}']/analyzer")
    (found,) = [a for a in analyzers if a.get("type", "") == kind]
    names = [f.get("class") for f in found.findall("filter")]
    return [name.removeprefix("solr.").removesuffix("FilterFactory") for name in names]


def test_accents_go_before_synonyms_and_stems():
    made = spanish(SCHEMA)
    assert filters(made, "text", "index") == ["FlattenGraph", "LowerCase", "ASCIIFolding", "SpanishPluralStem"]
    assert filters(made, "text", "query") == ["LowerCase", "ASCIIFolding", "SynonymGraph", "SpanishPluralStem"]


def test_no_english_is_left():
    assert "English" not in spanish(SCHEMA)


def test_nothing_else_is_touched():
    assert filters(spanish(SCHEMA), "other") == ["SnowballPorter"]


@pytest.mark.parametrize("old", ['type="query"', 'SnowballPorterFilterFactory" language="English"'])
def test_a_schema_that_is_not_known_is_refused(old):
    with pytest.raises(UnknownSchema):
        spanish(SCHEMA.replace(old, 'type="x"' if "type" in old else 'KStemFilterFactory"'))
