"""The whole configuration of CKAN's core in Solr: our own files, CKAN's schema made Spanish, programmes' names."""

from __future__ import annotations

import shutil
from pathlib import Path

from deploy.solr.spanish import spanish, synonyms
from rnu.settings import load

HERE = Path(__file__).parent / "conf"


def write_configuration(ckan_schema: Path, institution: Path, folder: Path) -> None:
    """Write Solr's `conf` for CKAN's schema and for the programmes in an institution's `config/`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in HERE.iterdir():
        shutil.copy(file, folder / file.name)
    schema = spanish(ckan_schema.read_text(encoding="utf-8"))
    (folder / "schema.xml").write_text(schema, encoding="utf-8")
    names = [[name.text for name in programme.names] for programme in load(institution).programmes]
    words = (HERE / "synonyms.txt").read_text(encoding="utf-8")
    (folder / "synonyms.txt").write_text(synonyms(words, names), encoding="utf-8")
