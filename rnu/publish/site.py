"""The pages of a static portal, written from releases that already lie in the site's own folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from rnu.publish import catalogue, machine, words
from rnu.publish.dataset import Dataset, RateShown, district_rates, district_totals, notes_of, write_datasets
from rnu.publish.entry import Entry, site_catalogue, site_entries
from rnu.publish.portal import Publication, current
from rnu.release.columns import LEVEL_TITLES, MARK, NAMES
from rnu.release.manifest import MANIFEST, manifest
from rnu.settings import Institution, Portal
from rnu.ubigeo import LEVELS

ASSETS = ("estilo.css", "buscar.js")
FEED = "publicaciones.atom"
# Short words for a number that is not there; what they mean in full stands in the dictionary.
TOLD = ("filtracion", "subcobertura")  # what is said in sentences where there is little room
MARK_WORDS = {"c": "reservado", "d": "no desagregado", "n": "no entregado"}


def write_site(publications: Sequence[Publication], portal: Portal, institution: Institution, site: Path) -> None:
    """Write every page, series and catalogue. `site/releases/<digest>` is there already and stays untouched."""
    datasets = write_datasets(publications, site)
    history = sorted(publications, key=lambda p: (p.period, p.revision), reverse=True)
    pages = _environment(portal, institution, datasets)
    notes = notes_of(history[0].folder) if history else []
    _write_page(pages, site, "index.html", history=history, periods=current(publications), notes=notes)
    _write_page(pages, site, "404.html", root=f"{portal.url}/")
    entries = site_entries(datasets, portal, institution)
    for dataset, entry in zip(datasets, entries, strict=True):
        _write_dataset(pages, site, dataset, entry)
    for publication in history:
        _write_publication(pages, site, publication, superseded=publication not in current(publications))
    own = site_catalogue(portal, institution)
    graph = catalogue.dcat(own, entries)
    _write_json(site / "data.json", catalogue.pod(own, entries))
    _write_json(site / "catalogo.jsonld", graph)
    (site / "catalogo.ttl").write_bytes(catalogue.turtle(graph).encode())
    _write_page(pages, site, FEED, history=history, periods=current(publications))
    _write_json(site / "distritos.json", districts(datasets))
    for name in ASSETS:
        (site / name).write_bytes(resources.files("rnu.publish").joinpath("templates", name).read_bytes())
    _write_for_robots(site, portal, datasets, history)


def _environment(portal: Portal, institution: Institution, datasets: Sequence[Dataset]) -> Environment:
    pages = Environment(
        loader=PackageLoader("rnu.publish"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters.update(number=words.number, figure=words.figure, month=words.month, day=words.day, size=words.size)
    pages.globals.update(
        portal=portal,
        institution=institution,
        datasets=datasets,
        mark_words=MARK_WORDS,
        level_titles=LEVEL_TITLES,
        sentence=_sentence,
        told=TOLD,
    )
    return pages


def _write_page(pages: Environment, site: Path, path: str, template: str = "", **values: Any) -> None:
    """Render a page; `root` leads from it to the portal's address, so that a site works below any path."""
    target = site / path
    target.parent.mkdir(parents=True, exist_ok=True)
    known = {"root": "../" * path.count("/"), "path": path.removesuffix("index.html"), **values}
    html = pages.get_template(template or path).render(known)
    target.write_bytes(html.encode())


def _write_dataset(pages: Environment, site: Path, dataset: Dataset, entry: Entry) -> None:
    """A dataset's page, and beside it the same for programs."""
    schema_org = machine.schema_org(entry)
    _write_page(pages, site, f"{dataset.path}index.html", "conjunto.html", dataset=dataset, entry=entry, ld=schema_org)
    folder = site / dataset.path
    graph = catalogue.dcat_dataset(entry)
    _write_json(folder / "datapackage.json", machine.datapackage(entry, machine.beside))
    _write_json(folder / "croissant.json", machine.croissant(entry))
    _write_json(folder / "dcat.jsonld", graph)
    (folder / "dcat.ttl").write_bytes(catalogue.turtle(graph).encode())


def _write_publication(pages: Environment, site: Path, publication: Publication, superseded: bool) -> None:
    files = manifest(publication.folder)
    listed = [(path, (publication.folder / path).stat().st_size, digest) for path, digest in files.items()]
    listed.append((MANIFEST, (publication.folder / MANIFEST).stat().st_size, publication.digest))
    signatures = [{**asdict(signature), "on": signature.on.isoformat()} for signature in publication.signatures]
    _write_json(
        site / "releases" / f"{publication.digest}.firmas.json",
        {"publicacion": publication.name, "digest": publication.digest, "firmas": signatures},
    )
    _write_page(
        pages,
        site,
        f"publicaciones/{publication.name}/index.html",
        "publicacion.html",
        publication=publication,
        files=listed,
        notes=notes_of(publication.folder),
        superseded=superseded,
    )


def districts(datasets: Sequence[Dataset]) -> dict[str, Any]:
    """The latest totals of every district, small enough for a visitor's telephone: the search on the home page.

    A place is [code, department, province, district, one value per column]; a value is a number or a mark.
    """
    columns: list[dict[str, str]] = []
    places: dict[str, list[str]] = {}
    values: dict[str, dict[int, int | str]] = {}
    for dataset in (one for one in datasets if LEVELS[-1] in {level.level for level in one.levels}):
        known: dict[str, int] = {}
        frame = district_totals(dataset)
        names = frame[[*NAMES]].itertuples(index=False, name=None)
        rows = zip(
            frame["programa"],
            frame["nombre_programa"],
            frame["ubigeo"],
            names,
            frame.iloc[:, -2],
            frame[MARK],
            strict=True,
        )
        for programme, title, ubigeo, place, n, mark in rows:
            if programme not in known:
                known[programme] = len(columns)
                columns.append(
                    {"programa": title, "cifra": dataset.measure_label, "periodo": str(dataset.latest.period)}
                )
            places.setdefault(ubigeo, [ubigeo, *place])
            values.setdefault(ubigeo, {})[known[programme]] = mark or int(n)
    return {
        "marcas": MARK_WORDS,
        "columnas": columns,
        "tasas": {
            ubigeo: [f"{r.name}, {words.month_of(r.period)}: {_sentence(r)}" for r in rates if r.rate in TOLD]
            for dataset in datasets
            for ubigeo, rates in sorted(district_rates(dataset).items())
        },
        "lugares": [
            [*place, [values[ubigeo].get(i) for i in range(len(columns))]] for ubigeo, place in sorted(places.items())
        ],
    }


def _sentence(rate: RateShown) -> str:
    """A rate in a sentence, or why there is none."""
    return words.sentence(rate.rate, rate.percentage) if rate.percentage is not None else MARK_WORDS[rate.mark]


def _write_json(path: Path, value: object) -> None:
    indent = None if path.name == "distritos.json" else 2
    path.write_bytes((json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode())


def _write_for_robots(site: Path, portal: Portal, datasets: Sequence[Dataset], history: Sequence[Publication]) -> None:
    paths = ["", *(dataset.path for dataset in datasets), *(f"publicaciones/{p.name}/" for p in history)]
    urls = "".join(f"  <url><loc>{portal.url}/{path}</loc></url>\n" for path in paths)
    sitemap = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{urls}</urlset>\n'
    )
    (site / "sitemap.xml").write_bytes(sitemap.encode())
    (site / "robots.txt").write_bytes(f"User-agent: *\nAllow: /\n\nSitemap: {portal.url}/sitemap.xml\n".encode())
