"""Who must not be found: documents, names and pseudonyms of the made-up people, read from their own deliveries."""

import re
import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from harvesters.delivery import Fetched
from harvesters.read import Layout, read
from rnu.settings import Source, load
from tests.line.institution import SENTINEL_DOCUMENT, SENTINEL_NAME

# Columns of surnames, and of given names, in each sector's words; Juntos and the schools bring no names.
NAMES = {
    "pgh": (("ap_primer", "ap_segundo"), ("prenombre_inscrito",)),
    "sis": (("AP_PATERNO", "AP_MATERNO"), ("NOMBRES",)),
    "pension65": (("APELLIDO PATERNO", "APELLIDO MATERNO"), ("NOMBRES",)),
    "cunamas": (("ApellidoPaterno", "ApellidoMaterno"), ("Nombres",)),
    "contigo": (("Apellidos y nombres",), ()),
    "foncodes": (("AP_PATERNO_JEFE", "AP_MATERNO_JEFE"), ("NOMBRES_JEFE",)),
    "pca": (("apellidos",), ("nombres",)),
    "vasoleche": (("apellido_paterno", "apellido_materno"), ("nombres",)),
}
OTHER_DOCUMENTS = {"cunamas": ("DniCuidador",)}


@dataclass(frozen=True)
class Persons:
    """What gives somebody away, ready to be looked up."""

    documents: frozenset[str] = field(default=frozenset(), repr=False)
    names: frozenset[str] = field(default=frozenset(), repr=False)  # phrases of plain words
    pseudonyms: frozenset[bytes] = field(default=frozenset(), repr=False)

    def __or__(self, other: "Persons") -> "Persons":
        return Persons(self.documents | other.documents, self.names | other.names, self.pseudonyms | other.pseudonyms)


def plain(text: str) -> str:
    """Upper case, no accents, words parted by one blank: as two spellings of a name agree.

    >>> plain("Ñaupari  Díaz, José-Luis")
    'NAUPARI DIAZ JOSE LUIS'
    """
    bare = text if text.isascii() else re.sub(r"[\u0300-\u036f]", "", unicodedata.normalize("NFD", text))
    return " ".join(re.findall(r"[A-Z0-9]+", bare.upper()))


def whole_document(number: str) -> str:
    """A document as it is looked up; a DNI that lost its leading zeros gets them back.

    >>> whole_document("5016281"), whole_document(" 001234567 ")
    ('05016281', '001234567')
    """
    return number.strip().upper().zfill(8)


def phrases(surnames: Iterable[str], given: str) -> set[str]:
    """A person's name as people write it: both surnames, a given name with one of them or both, in either order.

    >>> sorted(phrases(["Díaz", "Ríos"], "Ana"))
    ['ANA DIAZ', 'ANA DIAZ RIOS', 'DIAZ ANA', 'DIAZ RIOS', 'DIAZ RIOS ANA']
    """
    parts, names = [plain(s) for s in surnames if plain(s)], plain(given)
    both = " ".join(parts)
    orders = {f"{s} {names}" for s in (both, *parts[:1])} | {f"{names} {s}" for s in (both, *parts[:1])}
    return {p for p in {both, *(orders if names and parts else ())} if " " in p}


def delivered_persons(home: Path) -> Persons:
    """Everybody in an institution's deliveries, of all periods. Phrases that name a place are nobody's."""
    settings = load(home)
    documents: set[str] = set()
    names: set[str] = set()
    for source in settings.rosters():
        for row in _rows(home, source):
            numbers = (row.get(c) or "" for c in (source.fields.document_number, *OTHER_DOCUMENTS.get(source.id, ())))
            documents |= {whole_document(n) for n in numbers if len(n.strip()) >= 6}
            surnames, given = NAMES.get(source.id, ((), ()))
            names |= phrases([row[c] or "" for c in surnames], " ".join(row[c] or "" for c in given))
    places = plain((settings.gazetteer_path).read_text(encoding="utf-8"))
    return Persons(frozenset(documents), frozenset(names - runs(places.split(" "), max(map(_words, names), default=0))))


def runs(words: list[str], longest: int) -> set[str]:
    """Every phrase of two to so many words in a row.

    >>> sorted(runs(["MADRE", "DE", "DIOS"], 3))
    ['DE DIOS', 'MADRE DE', 'MADRE DE DIOS']
    """
    return {" ".join(words[i : i + n]) for n in range(2, longest + 1) for i in range(len(words) - n + 1)}


def _words(phrase: str) -> int:
    return phrase.count(" ") + 1


def _rows(home: Path, source: Source) -> list[dict[str, str | None]]:
    form = source.format
    layout = Layout(
        form.type, form.encoding, form.delimiter, form.quote, form.zip, form.members, form.sheet, form.skip_rows
    )
    pattern = re.sub(r"\{cut\w*\}", "*", source.fetch.where)
    out = []
    for path in sorted((home / "entregas").glob(pattern)):
        with tempfile.TemporaryDirectory() as work:
            for member in read([Fetched(path.name, path, "0" * 64, path.stat().st_size)], layout, Path(work)):
                columns = [pq.read_table(member.path).column(f"c{i}").to_pylist() for i in range(len(member.labels))]
                out += [dict(zip(member.labels, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return out


def pseudonyms(home: Path) -> frozenset[bytes]:
    """Every pseudonym in the store's rosters."""
    rosters = (home / "store" / "rosters").rglob("*.parquet")
    return frozenset(p for r in rosters for p in pq.read_table(r, columns=["pseudonym"])["pseudonym"].to_pylist() if p)


def sentinels() -> Persons:
    """The values that tests put into broken cells."""
    return Persons(frozenset({SENTINEL_DOCUMENT}), frozenset({SENTINEL_NAME}))
