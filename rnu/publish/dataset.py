"""A dataset of a portal: one cube over all its releases, read from the releases' own files."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from rnu.provenance import file_digest
from rnu.publish.portal import Publication, current
from rnu.publish.proof import is_proven, write_proof
from rnu.publish.series import series_schema, write_series
from rnu.publish.words import month
from rnu.release.breaks import breaks
from rnu.release.columns import LEVEL_TITLES, MARK, NOT_DELIVERED, RATES
from rnu.release.describe import DATA, MEDIA_TYPES, certificate_path
from rnu.release.formats import FORMATS
from rnu.release.manifest import manifest
from rnu.release.read import dimensions, levels, linked, read_json, read_table, read_text_table, table_path, totals
from rnu.settings import EVERY_PROGRAMME, Institution
from rnu.ubigeo import LEVELS

Report = dict[str, Any]
OTHER_PROGRAMME = "otro_programa"  # the breakdown of a table of pairs


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a visitor can take."""

    title: str
    description: str
    path: str  # from the portal's address
    format: str
    bytes: int
    sha256: str

    @property
    def media_type(self) -> str:
        """IANA media type."""
        return MEDIA_TYPES[self.format]


@dataclass(frozen=True, slots=True)
class LevelDownloads:
    """The files of one level: all periods in one, and the latest release's own."""

    level: str
    title: str
    series: Download
    schema: Report  # Table Schema of the series
    latest: tuple[Download, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """A programme's published total of the nation, or the mark in its place."""

    programme: str
    name: str
    value: int | None
    mark: str


@dataclass(frozen=True, slots=True)
class RateShown:
    """A rate of one programme at one place: its numbers, or the mark in their place."""

    programme: str
    name: str
    rate: str
    period: str
    numerator: int | None
    denominator: int | None
    percentage: float | None
    mark: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """One cube as a portal shows it."""

    id: str
    title: str
    description: str
    measure: str
    measure_label: str
    keywords: tuple[str, ...]
    history: tuple[Publication, ...]  # every release that has it, newest first
    periods: tuple[Publication, ...]  # one current release per period, oldest first
    levels: tuple[LevelDownloads, ...]
    totals: tuple[tuple[Publication, tuple[Total, ...]], ...]  # of each period, oldest first; rates have none
    programmes: tuple[tuple[str, str], ...]  # id and name, of the newest period
    rules: tuple[Report, ...] = ()  # of rates alone: what each programme is judged by, or why it is by nothing
    rates: tuple[RateShown, ...] = ()  # the nation's, of the newest period
    breaks: tuple[str, ...] = ()  # where the series breaks, the latest first
    proof: Download | None = None  # what it takes to check its protection; none where it has no certificate

    @property
    def latest(self) -> Publication:
        """The release of the newest period."""
        return self.periods[-1]

    @property
    def path(self) -> str:
        """Address of its page, from the portal's."""
        return f"datos/{self.id}/"

    @property
    def issued(self) -> date:
        """The day on which its first release was approved."""
        return min(p.decided for p in self.history)

    @property
    def modified(self) -> date:
        """The day of its last signature."""
        return max(p.decided for p in self.history)

    @property
    def span(self) -> tuple[date, date]:
        """First and last day that it tells of."""
        first = self.periods[0].period
        return date(first.year, first.month, 1), self.latest.period.last_day()

    def words(self) -> str:
        """What it holds, and what readers must know beforehand."""
        return "\n\n".join([self.description, *self.notes()])

    def origin(self, institution: Institution) -> str:
        """Where its numbers come from, in one sentence."""
        return f"{institution.register_name}: padrones de cada sector, agregados y protegidos."

    def citation(self, institution: Institution, page: str) -> str:
        """How to cite it, with the digest that says which bytes were used."""
        period = self.latest.period
        return (
            f"{institution.name} ({period.year}). {institution.register_name}: {self.title}. "
            f"Periodo {period}, revisión {self.latest.revision} [conjunto de datos]. {page} "
            f"Huella {self.latest.digest[:16]}."
        )

    def notes(self) -> list[str]:
        """What its newest release tells readers beforehand, and where the series breaks, the latest first."""
        return [*notes_of(self.latest.folder), *self.breaks]

    def dictionary(self) -> list[dict[str, str]]:
        """Columns and values of the newest release, in words."""
        return [row for row in dictionary_of(self.latest.folder) if row["tabla"] == self.id]

    def quality(self) -> list[Report]:
        """Quality of the sources that feed it, as the newest release reports it."""
        ids = {id for id, _ in self.programmes}
        sources = read_json(self.latest.folder, "calidad.json")["fuentes"]
        every = EVERY_PROGRAMME in ids
        return [source for source in sources if every or source["programa"] in ids or not source["programa"]]

    def protection(self) -> Report:
        """What the newest release shows and withholds of it."""
        report = read_json(self.latest.folder, "proteccion.json")
        if self.rules:
            return {"umbrales": {}, "niveles": [], "desgloses_retirados": [], **report["tasas"]}
        own = next(table for table in report["tablas"] if table["tabla"] == self.id)
        first, *others = report["como_se_protege"]
        return {**own, "como_se_protege": [first, self._thresholds(own["umbrales"]), *others]}

    def certificates(self) -> tuple[tuple[str, str], ...]:
        """Name of each programme, and where the newest release's certificate of it lies, from the portal's address.

        Pairs of programmes are proven by the certificate of another table, that of distinct persons.
        """
        paths = [(name, certificate_path(self.id, programme)) for programme, name in self.programmes]
        other = _cubes(self.latest.folder)[self.id].get("probada_con")
        if other:
            paths.append(("Todos los pares", certificate_path(other, EVERY_PROGRAMME)))
        there = manifest(self.latest.folder)
        return tuple((name, f"releases/{self.latest.digest}/{path}") for name, path in paths if path in there)

    def _thresholds(self, known: Mapping[str, int]) -> str:
        """The threshold that most programmes have, and whose is another."""
        names = dict(self.programmes)
        of_each: dict[int, list[str]] = {}
        for programme, threshold in known.items():
            of_each.setdefault(threshold, []).append(names.get(programme, programme))
        (usual, _), *others = sorted(of_each.items(), key=lambda found: (-len(found[1]), found[0]))
        rest = "".join(f"; en {', '.join(sorted(own))}, {threshold}" for threshold, own in others)
        return f"El umbral es {usual}{rest}."

    def provenance(self) -> Report:
        """What the newest release's bytes depend on."""
        return read_json(self.latest.folder, "procedencia.json")


def write_datasets(publications: Sequence[Publication], site: Path) -> tuple[Dataset, ...]:
    """Every cube of the releases, newest release's order first, with its series written below `site/datos`."""
    newest_first = sorted(publications, key=lambda p: (p.period, p.revision), reverse=True)
    ids = dict.fromkeys(cube for publication in newest_first for cube in _cubes(publication.folder))
    return tuple(_dataset(id, newest_first, site) for id in ids)


def _dataset(id: str, newest_first: Sequence[Publication], site: Path) -> Dataset:
    history = tuple(p for p in newest_first if id in _cubes(p.folder))
    periods = current(history)
    cube = _cubes(periods[-1].folder)[id]
    rules = tuple(cube.get("reglas", ()))
    (site / DATA / id).mkdir(parents=True)
    return Dataset(
        id=id,
        title=cube["titulo"],
        description=cube["descripcion"],
        measure=cube["medida"],
        measure_label=cube["titulo_medida"],
        keywords=tuple(cube["palabras_clave"]),
        history=history,
        periods=periods,
        levels=tuple(_level(id, level, periods, site) for level in levels(periods[-1].folder, id)),
        totals=() if rules else tuple((p, _national(p.folder, id)) for p in periods),
        programmes=tuple((one["id"], one["nombre"]) for one in cube["programas"]),
        rules=rules,
        rates=rates_shown(periods[-1].folder, id, "nacion") if rules else (),
        breaks=_breaks(id, periods),
        proof=_proof(id, periods[-1], site),
    )


def _proof(id: str, latest: Publication, site: Path) -> Download | None:
    if not is_proven(latest.folder, id):
        return None
    path = f"{DATA}/{id}/{id}_certificados.zip"
    write_proof(latest.folder, id, site / path)
    return Download(
        f"Para comprobar la protección, {latest.period}",
        "Cifras y certificados de la última publicación, tal como fueron firmados. Los comprueba cualquiera, sin los "
        "padrones: `rnu verify CARPETA --part`.",
        path,
        "zip",
        (site / path).stat().st_size,
        file_digest(site / path),
    )


def _breaks(id: str, periods: Sequence[Publication]) -> tuple[str, ...]:
    return tuple(
        f"Ruptura de la serie en {month(now.period)}. {text}"
        for before, now in reversed(list(pairwise(periods)))
        for text in breaks(before.folder, now.folder, id)
    )


def _cubes(folder: Path) -> dict[str, Report]:
    return {cube["id"]: cube for cube in _datapackage(folder)["tablas"]}


# A release never changes, so reading one of its files twice is waste.
@cache
def _datapackage(folder: Path) -> Report:
    return read_json(folder, "datapackage.json")


def notes_of(folder: Path) -> list[str]:
    """What a release tells readers beforehand."""
    return list(_datapackage(folder)["notas"])


def dictionary_of(folder: Path) -> list[dict[str, str]]:
    """A release's dictionary."""
    rows: Any = read_json(folder, "diccionario.json")
    return list(rows)


def _level(id: str, level: str, periods: Sequence[Publication], site: Path) -> LevelDownloads:
    path = f"{DATA}/{id}/{id}_{level}.csv"
    write_series([p.folder for p in periods], id, level, site / path)
    title = LEVEL_TITLES[level]
    series = Download(
        f"{title}, todos los periodos",
        "Todos los periodos en una tabla.",
        path,
        "csv",
        (site / path).stat().st_size,
        file_digest(site / path),
    )
    schema = series_schema([p.folder for p in periods], id, level)
    return LevelDownloads(
        level, title, series, schema, tuple(_own(periods[-1], id, level, format) for format in FORMATS)
    )


def _own(publication: Publication, id: str, level: str, format: str) -> Download:
    path = f"{DATA}/{id}_{level}.{format}"
    return Download(
        f"{LEVEL_TITLES[level]}, {publication.period}",
        "Tal como fue firmado.",
        f"releases/{publication.digest}/{path}",
        format,
        (publication.folder / path).stat().st_size,
        manifest(publication.folder)[path],
    )


def _national(folder: Path, id: str) -> tuple[Total, ...]:
    return tuple(
        Total(key, name, n if isinstance(n, int) else None, "" if isinstance(n, int) else n)
        for key, (name, n) in headlines(folder, id).items()
    )


def headlines(folder: Path, id: str) -> dict[str, tuple[str, int | str]]:
    """What a release says of the nation, by programme: its name, and its total or the mark in its place.

    Of a table that has no totals all rows, each named by programme and breakdown.
    """
    frame = read_table(folder, id, "nacion")
    whole = totals(frame)
    if id not in linked(folder) or len(whole) == len(frame) or (whole[MARK] != NOT_DELIVERED).any():
        rows = zip(whole["programa"], whole["nombre_programa"], whole.iloc[:, -2], whole[MARK], strict=True)
        return {programme: (name, mark or int(n)) for programme, name, n, mark in rows}
    (breakdown,) = dimensions(frame)
    told = [row for row in dictionary_of(folder) if (row["tabla"], row["columna"]) == (id, breakdown)]
    words, joined = {row["valor"]: row["titulo"] for row in told}, " y " if breakdown == OTHER_PROGRAMME else ": "
    names = [
        f"{name}{joined}{words[c].partition(':')[0]}"
        for name, c in zip(frame["nombre_programa"], frame[breakdown], strict=True)
    ]
    keys = frame["programa"] + "/" + frame[breakdown]
    rows = zip(keys, names, frame.iloc[:, -2], frame[MARK], strict=True)
    return {key: (name, mark or int(n)) for key, name, n, mark in rows}


def rates_shown(folder: Path, id: str, level: str) -> tuple[RateShown, ...]:
    """A release's rates at one level, by place."""
    frame = read_text_table(table_path(folder, id, level))
    return tuple(_rate(row) for row in frame.to_dict("records"))


def _rate(row: Mapping[Hashable, str]) -> RateShown:
    numerator, denominator = (int(row[name]) if row[name] else None for name in RATES[1:3])
    percentage = float(row[RATES[3]]) if row[RATES[3]] else None
    head = (row["programa"], row["nombre_programa"], row[RATES[0]], row["periodo"])
    return RateShown(*head, numerator, denominator, percentage, row[MARK])


def district_rates(dataset: Dataset) -> dict[str, list[RateShown]]:
    """Every district's rates that are shown, each of the newest period that shows it."""
    found: dict[str, dict[tuple[str, str], RateShown]] = {}
    for publication in dataset.periods if dataset.rules else ():
        path = table_path(publication.folder, dataset.id, LEVELS[-1])
        if not path.is_file():
            continue
        for row in read_text_table(path).to_dict("records"):
            rate = _rate(row)
            if not rate.mark:
                found.setdefault(str(row["ubigeo"]), {})[rate.programme, rate.rate] = rate
    return {ubigeo: list(rates.values()) for ubigeo, rates in found.items()}


def district_totals(dataset: Dataset) -> pd.DataFrame:
    """The newest release's totals of every district, by programme."""
    return totals(read_table(dataset.latest.folder, dataset.id, "distrito"))
