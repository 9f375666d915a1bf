"""What every catalogue says of a dataset, in the same words on whatever portal it stands.

An entry is made from releases (`entry`), or from what a CKAN keeps of them (`rnu.publish.ckan_entry`); `catalogue` and
`machine` write it down in the languages of catalogues and of programs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnu.publish.dataset import Dataset, Download
from rnu.settings import Institution, Portal

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Agent:
    """An institution, and how to reach it."""

    uri: str
    name: str
    contact: str  # the desk that answers
    email: str


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence by its name and its text's address."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of a dataset."""

    uri: str  # the file as a thing that can be spoken of
    url: str  # its bytes
    title: str
    description: str
    format: str
    media_type: str
    bytes: int
    sha256: str
    schema: Node | None = None  # Table Schema, of a table with all periods

    @property
    def name(self) -> str:
        """Its name without a folder: usuarios_distrito.csv."""
        return self.url.partition("?")[0].rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Entry:
    """A dataset in a catalogue. Dates are ISO days; they come from releases and signatures, never from a clock."""

    uri: str  # the dataset as a thing that can be spoken of
    page: str
    name: str
    title: str
    description: str
    keywords: tuple[str, ...]  # sorted: CKAN knows no order of them
    measure: str
    version: str
    issued: str
    modified: str
    span: tuple[str, str]
    origin: str
    citation: str
    publisher: Agent
    licence: Licence
    files: tuple[File, ...]
    datapackage: str  # address of its Data Package

    @property
    def tables(self) -> tuple[File, ...]:
        """The files that hold all periods."""
        return tuple(file for file in self.files if file.schema is not None)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A portal as a catalogue."""

    url: str  # its home page, without a slash at the end
    uri: str
    title: str
    description: str
    publisher: Agent
    licence: Licence


def entry(dataset: Dataset, institution: Institution, page: str, files: str) -> Entry:
    """A dataset whose page stands at `page`, and its files below the address of a folder portal."""
    first, last = dataset.span
    return Entry(
        uri=page,
        page=page,
        name=dataset.id,
        title=dataset.title,
        description=dataset.words(),
        keywords=tuple(sorted(dataset.keywords)) or (institution.register_name,),
        measure=dataset.measure_label,
        version=dataset.latest.name,
        issued=dataset.issued.isoformat(),
        modified=dataset.modified.isoformat(),
        span=(first.isoformat(), last.isoformat()),
        origin=dataset.origin(institution),
        citation=dataset.citation(institution, page),
        publisher=_agent(institution, files),
        licence=_licence(institution),
        files=tuple(
            file
            for level in dataset.levels
            for file in (_file(level.series, files, level.schema), *(_file(own, files) for own in level.latest))
        )
        + tuple(_file(proof, files) for proof in [dataset.proof] if proof),
        datapackage=f"{files}/{dataset.path}datapackage.json",
    )


def site_entries(datasets: Sequence[Dataset], portal: Portal, institution: Institution) -> tuple[Entry, ...]:
    """The datasets of a folder portal."""
    return tuple(entry(one, institution, f"{portal.url}/{one.path}", portal.url) for one in datasets)


def site_catalogue(portal: Portal, institution: Institution) -> Catalogue:
    """A folder portal as a catalogue."""
    return Catalogue(
        url=portal.url,
        uri=f"{portal.url}/#catalogo",
        title=portal.title,
        description=f"{institution.register_name}: cuadros protegidos, sin datos de personas.",
        publisher=_agent(institution, portal.url),
        licence=_licence(institution),
    )


def _agent(institution: Institution, address: str) -> Agent:
    return Agent(f"{address}/#institucion", institution.name, institution.contact, institution.email)


def _licence(institution: Institution) -> Licence:
    return Licence(institution.licence, institution.licence_url)


def _file(file: Download, address: str, schema: Node | None = None) -> File:
    url = f"{address}/{file.path}"
    return File(
        uri=f"{url}#distribucion",
        url=url,
        title=file.title,
        description=file.description,
        format=file.format,
        media_type=file.media_type,
        bytes=file.bytes,
        sha256=file.sha256,
        schema=schema,
    )
