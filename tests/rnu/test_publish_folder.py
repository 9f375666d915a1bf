"""The folder portal: what visitors see is whole, the same again changes nothing, and every link leads somewhere."""

import csv
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from rnu.errors import PortalRefused, ReviewRequired
from rnu.provenance import file_digest
from rnu.publish.folder import FolderPortal, tree_digest
from rnu.publish.portal import Publication, Role, Signature, current
from rnu.publish.series import write_series
from rnu.publish.serve import server
from rnu.release.manifest import verify
from rnu.settings import Period, Portal
from tests.rnu import release_examples as ex

PORTAL = Portal("sitio", "folder", "https://datos.prueba.invalid/padron", "Datos <abiertos> de prueba", where="portal")


def publication(folder: Path, contents) -> Publication:
    digest = ex.build_in(folder, contents)
    signatures = (
        Signature("Ana Ejemplo", Role.BUILT, date(2026, 3, 2), "llave-a", "firma-a", "dijo\na\n"),
        Signature("Luis <b>Ejemplo</b>", Role.APPROVED, date(2026, 3, 4), "llave-b", "firma-b", "dijo\nb\n"),
    )
    return Publication(contents.period, contents.revision, digest, folder, signatures)


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """January, its correction, and February, in which Juntos came too."""
    base = tmp_path_factory.mktemp("releases")
    february = ex.contents("2026-02", sis=((22, 31), (0, 12), (1500, 800)), notes=("Datos <inventados>.",))
    homes = ex.with_cells(february.tables[2], ex.safe([[10, 10], [10, 10], [10, 10]]))
    february = replace(february, tables=(*february.tables[:2], homes))
    return (
        publication(base / "a", ex.contents()),
        publication(base / "b", ex.contents(revision=2, sis=((20, 31), (0, 12), (15, 9)))),
        publication(base / "c", february),
    )


@pytest.fixture(scope="module")
def published(releases, tmp_path_factory):
    portal = FolderPortal(tmp_path_factory.mktemp("portal"), PORTAL, ex.INSTITUTION)
    outcome = portal.publish(releases)
    assert outcome.changed
    return portal


@pytest.fixture
def portal(tmp_path):
    return FolderPortal(tmp_path / "portal", PORTAL, ex.INSTITUTION)


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read(site, path):
    return json.loads((site / path).read_text(encoding="utf-8"))


# --- the site's data ---------------------------------------------------------------------------------------------


def test_the_latest_revision_of_each_period_is_current(releases):
    assert [p.name for p in current(releases[::-1])] == ["2026-01-r2", "2026-02-r1"]


def test_every_release_lies_whole_at_its_permanent_address(published, releases):
    assert published.shown() == tuple(sorted(p.digest for p in releases))
    for release in releases:
        verify(published.site / "releases" / release.digest, release.digest)


def test_a_series_has_every_period_once_from_its_current_revision(published):
    series = rows(published.site / "datos" / "usuarios" / "usuarios_nacion.csv")
    totals = {(r["periodo"], r["programa"]): r["usuarios"] for r in series if r["sexo"] == "total"}
    assert totals == {
        ("2026-01", "sis"): "87",
        ("2026-01", "contigo"): "85",
        ("2026-02", "sis"): "2365",
        ("2026-02", "contigo"): "85",
    }
    assert [r["periodo"] for r in series] == sorted(r["periodo"] for r in series)


def test_an_undelivered_period_stays_in_the_series_with_its_mark(published):
    series = rows(published.site / "datos" / "hogares" / "hogares_nacion.csv")
    assert [(r["periodo"], r["hogares"], r["marca"]) for r in series if r["sexo"] == "total"] == [
        ("2026-01", "", "n"),
        ("2026-02", "60", ""),
    ]


def test_a_breakdown_that_a_period_lacks_is_total_there(tmp_path):
    plain = "periodo,programa,nombre_programa,ubigeo,{}usuarios,marca\n"
    for name, header, row in [
        ("old", plain.format(""), "2026-01,sis,SIS,PE,9,\n"),
        ("new", plain.format("sexo,"), "2026-02,sis,SIS,PE,mujer,,c\n"),
    ]:
        (tmp_path / name / "datos").mkdir(parents=True)
        (tmp_path / name / "datos" / "u_nacion.csv").write_text(header + row, encoding="utf-8")
    write_series([tmp_path / "old", tmp_path / "new"], "u", "nacion", tmp_path / "all.csv")
    assert [list(r.values()) for r in rows(tmp_path / "all.csv")] == [
        ["2026-01", "sis", "SIS", "PE", "total", "9", ""],
        ["2026-02", "sis", "SIS", "PE", "mujer", "", "c"],
    ]
    old = tmp_path / "old" / "datos" / "u_nacion.csv"
    old.write_text(old.read_text(encoding="utf-8").replace("usuarios", "afiliados"), encoding="utf-8")
    with pytest.raises(PortalRefused, match="afiliados and usuarios"):
        write_series([tmp_path / "old", tmp_path / "new"], "u", "nacion", tmp_path / "all.csv")


def test_the_search_holds_published_totals_of_districts_and_marks(published):
    found = read(published.site, "distritos.json")
    places = {place[0]: place for place in found["lugares"]}
    assert [c["programa"] for c in found["columnas"]] == ["Seguro Integral de Salud (SIS)", "Contigo", "Juntos"]
    assert places["180102"] == ["180102", "Moquegua", "Mariscal Nieto", "Carumas", [12, "c", 20]]


# --- catalogues --------------------------------------------------------------------------------------------------


def test_every_address_in_the_catalogues_leads_to_a_file(published):
    texts = [
        (published.site / name).read_text(encoding="utf-8")
        for name in ("data.json", "catalogo.jsonld", "catalogo.ttl", "sitemap.xml", "publicaciones.atom")
    ]
    addresses = set(re.findall(re.escape(PORTAL.url) + r"/([^\"#<>\s]*)", " ".join(texts)))
    assert len(addresses) > 30
    for address in addresses:
        target = published.site / address
        assert (target / "index.html" if target.is_dir() else target).is_file(), address


def test_dcat_describes_every_file_with_size_and_checksum(published):
    catalogue = read(published.site, "catalogo.jsonld")
    assert catalogue["@type"] == "dcat:Catalog"
    for dataset in catalogue["dcat:dataset"]:
        assert dataset["dct:publisher"] == catalogue["dct:publisher"]
        for file in dataset["dcat:distribution"]:
            path = published.site / file["dcat:downloadURL"]["@id"].removeprefix(PORTAL.url + "/")
            assert int(file["dcat:byteSize"]["@value"]) == path.stat().st_size
            assert file["spdx:checksum"]["spdx:checksumValue"]["@value"] == file_digest(path)


# --- pages -------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects links and ids, and makes sure that elements close as they open."""

    VOID = frozenset({"meta", "link", "br", "input", "img", "hr", "rect"})

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.open, self.langs, self.text = [], [], [], [], text
        self.labels: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.links += [found[key] for key in ("href", "src", "data-src") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        self.labels |= set((found.get("aria-labelledby") or found.get("for") or "").split())
        if tag == "html":
            self.langs.append(found.get("lang"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        if tag not in self.VOID:
            self.handle_starttag(tag, attrs)
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())


def pages(site):
    return {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}


def test_every_page_is_well_formed_spanish_and_its_ids_and_labels_fit(published):
    found = pages(published.site)
    assert len(found) == 2 + 2 + 3  # home and 404, two datasets, three releases
    for path, page in found.items():
        assert page.langs == ["es"], path
        assert len(page.ids) == len(set(page.ids)), path
        assert page.labels <= set(page.ids), path
        assert 'href="#contenido"' in page.text and "contenido" in page.ids, path


def test_every_internal_link_leads_to_a_file_or_a_place_on_a_page(published):
    found = pages(published.site)
    for path, page in found.items():
        for link in page.links:
            parts = urlsplit(link.removeprefix(PORTAL.url + "/") if path.name == "404.html" else link)
            if parts.scheme in ("mailto", "https", "data"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), (path, link)
            if parts.fragment:
                assert parts.fragment in Page(target.read_text(encoding="utf-8")).ids, (path, link)


def test_nothing_is_loaded_from_elsewhere(published):
    for path, page in pages(published.site).items():
        loaded = re.findall(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="([^"]+)"', page.text)
        assert not [address for address in loaded if address.startswith("http") and PORTAL.url not in address], path


def test_text_from_configuration_cannot_become_markup(published):
    home = (published.site / "index.html").read_text(encoding="utf-8")
    assert "Datos &lt;abiertos&gt; de prueba" in home and "<abiertos>" not in home
    assert "Datos &lt;inventados&gt;." in home
    release = next((published.site / "publicaciones").glob("*/index.html")).read_text(encoding="utf-8")
    assert "<b>Ejemplo" not in release


def test_a_dataset_page_tells_downloads_quality_protection_provenance_and_how_to_cite(published, releases):
    page = (published.site / "datos" / "usuarios" / "index.html").read_text(encoding="utf-8")
    for words in (
        "Usuarios de los programas sociales",
        "PARQUET",
        "Dato reservado",
        "Padrón del SIS",
        "al menos 98",
        "89,9 %",
        "Totales por programa, desglosados por sexo",
        "El umbral es 5",
        f"releases/{releases[2].digest}/certificados/usuarios_contigo.json",
        releases[2].digest,
        "a" * 64,
        "Ministerio de Prueba (2026). Registro de Prueba: Usuarios de los programas sociales. Periodo 2026-02",
        "reemplazada",
    ):
        assert words in page, words
    assert "2\u202f365" in page


def test_a_dataset_page_carries_schema_org_as_json(published):
    page = (published.site / "datos" / "hogares" / "index.html").read_text(encoding="utf-8")
    found = json.loads(re.search(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)[1])
    assert (found["@type"], found["temporalCoverage"]) == ("Dataset", "2026-01-01/2026-02-28")
    assert "«a» < b & c" in found["description"]  # and yet no tag could open: the JSON is escaped
    assert "«a» < b & c" not in page


def test_signatures_lie_beside_the_release(published, releases):
    found = read(published.site, f"releases/{releases[0].digest}.firmas.json")
    assert found["digest"] == releases[0].digest
    assert [(f["role"], f["on"], f["signature"], f["message"]) for f in found["firmas"]] == [
        ("construyó", "2026-03-02", "firma-a", "dijo\na\n"),
        ("aprobó", "2026-03-04", "firma-b", "dijo\nb\n"),
    ]


def test_an_empty_portal_says_so(portal):
    portal.publish(())
    assert "Todavía no hay publicaciones" in (portal.site / "index.html").read_text(encoding="utf-8")
    assert pages(portal.site) and read(portal.site, "data.json")["dataset"] == []


# --- publishing --------------------------------------------------------------------------------------------------


def test_publishing_the_same_again_changes_nothing(portal, releases):
    first = portal.publish(releases)
    before = portal.site.readlink(), (portal.site / "index.html").stat().st_ino
    again = portal.publish(releases)
    assert (first.changed, again.changed) == (True, False)
    assert again.digest == first.digest
    assert before == (portal.site.readlink(), (portal.site / "index.html").stat().st_ino)
    assert not list(portal.root.rglob(".building"))


def test_two_portals_with_the_same_releases_have_the_same_bytes(portal, published, releases):
    portal.publish(releases)
    assert tree_digest(portal.site) == tree_digest(published.site)


def test_the_site_before_the_current_is_kept_and_older_ones_go(portal, releases):
    for count in (1, 2, 3):
        portal.publish(releases[:count])
    assert len(list((portal.root / ".sites").iterdir())) == 2
    assert len(portal.shown()) == 3
    portal.publish(releases[:1])
    assert portal.shown() == (releases[0].digest,)
    assert [path.name for path in (portal.root / ".releases").iterdir()] == [releases[0].digest]


def test_a_release_whose_bytes_changed_is_not_published_and_the_site_stays(portal, releases, tmp_path):
    portal.publish(releases[:1])
    shutil.copytree(releases[2].folder, tmp_path / "changed")
    with (tmp_path / "changed" / "LEEME.md").open("a") as file:
        file.write(" ")
    with pytest.raises(ReviewRequired, match=r"LEEME\.md differs"):
        portal.publish((releases[0], replace(releases[2], folder=tmp_path / "changed")))
    assert portal.shown() == (releases[0].digest,)


def test_a_damaged_portal_is_put_back_by_publishing_again(portal, releases):
    good = portal.publish(releases).digest
    target = portal.site / "releases" / releases[0].digest / "LEEME.md"
    target.write_text("otra cosa")
    (portal.site / "index.html").unlink()
    outcome = portal.publish(releases)
    assert (outcome.changed, outcome.digest) == (True, good)
    assert tree_digest(portal.site) == good
    verify(portal.site / "releases" / releases[0].digest, releases[0].digest)


def test_what_is_published_can_be_read_by_a_web_servers_user(portal, releases, tmp_path):
    shutil.copytree(releases[0].folder, tmp_path / "closed")
    for path in (tmp_path / "closed").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    portal.publish((replace(releases[0], folder=tmp_path / "closed"),))
    modes = {oct(path.stat().st_mode & 0o777) for path in portal.site.rglob("*")}
    assert modes == {"0o755", "0o644"}


def test_a_folder_that_cannot_be_written_is_the_portals_matter(releases, tmp_path):
    (tmp_path / "portal").write_text("a file stands where the folder should")
    with pytest.raises(PortalRefused):
        FolderPortal(tmp_path / "portal", PORTAL, ex.INSTITUTION).publish(releases[:1])


def test_a_full_disk_leaves_the_former_site_and_nothing_half_written(portal, releases):
    portal.publish(releases[:1])
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, limit[1]))
    try:
        with pytest.raises(PortalRefused, match=r"refused \(File too large\)") as caught:
            portal.publish(releases)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert Path(caught.value.where).is_relative_to(portal.root)
    assert portal.shown() == (releases[0].digest,)
    assert not list(portal.root.rglob(".building"))
    portal.publish(releases)
    assert len(portal.shown()) == 3


def test_a_site_is_on_the_disk_before_visitors_see_it(portal, releases, monkeypatch):
    """The power may fail at any moment: the link leads to nothing that is not synced, folders' names included."""
    synced, before = set(), []
    fsync, swap = os.fsync, FolderPortal._swap
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.add(os.fstat(fd).st_ino), fsync(fd)))
    monkeypatch.setattr(FolderPortal, "_swap", lambda self, site: (before.append(set(synced)), swap(self, site)))
    portal.publish(releases)
    (seen,) = before
    everything = [portal.site.resolve(), *portal.site.resolve().rglob("*"), portal.root / ".sites"]
    assert [path for path in everything if path.stat().st_ino not in seen] == []
    assert portal.root.stat().st_ino in synced - seen


KILLED = """
import sys
from datetime import date
from pathlib import Path
from rnu.publish import folder
from rnu.publish.portal import Publication
from rnu.settings import Period, Portal
from tests.rnu import release_examples as ex
from tests.rnu.test_publish_folder import PORTAL
root, release, digest, step = sys.argv[1:]
real = getattr(folder.FolderPortal, step)
def stop(self, *args):
    if step == "_forget":
        Path(root, "..", "reached").write_text("")
        sys.stdin.read()
    done = real(self, *args)
    Path(root, "..", "reached").write_text("")
    sys.stdin.read()
    return done
setattr(folder.FolderPortal, step, stop)
portal = folder.FolderPortal(Path(root), PORTAL, ex.INSTITUTION)
portal.publish((Publication(Period(2026, 2), 1, digest, Path(release), ()),))
"""


@pytest.mark.parametrize("step", ["_fetch", "_build", "_name", "_swap", "_forget"])
def test_a_run_killed_at_any_step_leaves_a_whole_site_and_the_next_run_finishes(portal, releases, tmp_path, step):
    old, new = releases[0], replace(releases[2], signatures=())
    portal.publish((old,))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(portal.root), str(new.folder), new.digest, step],
        env={**os.environ, "PYTHONPATH": str(ex.ROOT)},
        stdin=subprocess.PIPE,
    )
    try:
        for _ in range(600):
            if (tmp_path / "reached").exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert process.poll() is None and (tmp_path / "reached").exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert portal.shown() in ((old.digest,), (new.digest,))
    verify(portal.site / "releases" / portal.shown()[0], portal.shown()[0])
    assert (portal.site / "data.json").is_file()
    portal.publish((new,))
    assert portal.shown() == (new.digest,)
    assert not list(portal.root.rglob(".building"))
    assert tree_digest(portal.site) == FolderPortal(tmp_path / "fresh", PORTAL, ex.INSTITUTION).publish((new,)).digest


def test_a_half_built_folder_of_a_killed_run_is_removed(portal, releases):
    (portal.root / ".sites" / ".building" / "datos").mkdir(parents=True)
    (portal.root / ".sites" / ".building" / "index.html").write_text("half")
    (portal.root / ".releases" / ".building").mkdir(parents=True)
    (portal.root / ".current").symlink_to("nowhere")
    portal.publish(releases)
    assert {path.name for path in portal.root.iterdir()} == {"current", ".sites", ".releases"}
    assert "half" not in (portal.site / "index.html").read_text(encoding="utf-8")


def test_pages_do_not_depend_on_the_order_in_which_releases_are_given(portal, published, releases):
    portal.publish(releases[::-1])
    assert tree_digest(portal.site) == tree_digest(published.site)


def test_a_publication_without_signatures_is_dated_by_its_period():
    assert Publication(Period(2026, 2), 1, "", Path(), ()).decided == date(2026, 2, 28)


# --- serving -----------------------------------------------------------------------------------------------------


@pytest.fixture
def address(published):
    with server(published.root, 0) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/data.json", "application/json; charset=utf-8"),
        ("/catalogo.jsonld", "application/ld+json; charset=utf-8"),
        ("/datos/usuarios/usuarios_nacion.csv", "text/csv; charset=utf-8"),
        ("/buscar.js", "text/javascript; charset=utf-8"),
        ("/catalogo.ttl", "text/turtle; charset=utf-8"),
        ("/catalogo.jsonld", "application/ld+json; charset=utf-8"),
        ("/publicaciones.atom", "application/atom+xml; charset=utf-8"),
        ("/datos/usuarios/croissant.json", "application/json; charset=utf-8"),
    ],
)
def test_files_are_served_with_their_types(address, path, kind):
    with urllib.request.urlopen(address + path) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)


def asked(url, **headers):
    """Status and headers of an answer, whatever it is."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers


@pytest.mark.parametrize("path", ["/data.json", "/", "/datos/usuarios/usuarios_nacion.csv"])
def test_what_a_visitor_has_already_is_not_sent_again(address, path):
    _, first = asked(address + path)
    for known in ({"If-None-Match": f'"otro", W/{first["ETag"]}'}, {"If-Modified-Since": first["Last-Modified"]}):
        status, headers = asked(address + path, **known)
        assert (status, headers["ETag"]) == (304, first["ETag"])
    assert asked(address + path, **{"If-None-Match": '"otro"'})[0] == 200
    assert "ETag" not in asked(address + "/nada")[1]


def test_a_file_that_changed_has_another_etag(address, published):
    before = asked(f"{address}/data.json")[1]["ETag"]
    os.utime(published.site / "data.json")
    assert asked(f"{address}/data.json", **{"If-None-Match": before})[0] == 200


def test_pages_of_other_sites_may_read(address):
    request = urllib.request.Request(
        f"{address}/data.json", method="OPTIONS", headers={"Origin": "https://otro.invalid"}
    )
    with urllib.request.urlopen(request) as answer:
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
    headers = asked(f"{address}/data.json", Origin="https://otro.invalid")[1]
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "ETag" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/nada", "/releases/", "/../.releases/", "/%2e%2e/.sites/"])
def test_what_is_not_there_gets_the_sites_own_page(address, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address + path)
    assert refused.value.code == 404
    assert "Esta página no está" in refused.value.read().decode()


def test_the_page_for_what_is_not_there_brings_its_style_wherever_the_site_stands(published):
    page = (published.site / "404.html").read_text(encoding="utf-8")
    assert 'rel="stylesheet"' not in page
    assert (published.site / "estilo.css").read_text(encoding="utf-8").strip() in page


def test_a_visitor_who_leaves_early_is_not_worth_a_word(address, published, capfd):
    host, port = address.removeprefix("http://").split(":")
    (published.site / "grande.bin").write_bytes(bytes(20_000_000))
    try:
        for _ in range(3):
            with socket.create_connection((host, int(port))) as visitor:
                visitor.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset on close
                visitor.sendall(b"GET /grande.bin HTTP/1.0\r\n\r\n")
                visitor.recv(100)
        with urllib.request.urlopen(f"{address}/data.json") as answer:
            assert answer.status == 200
        time.sleep(0.3)
    finally:
        (published.site / "grande.bin").unlink()
    assert capfd.readouterr().err == ""


def test_nothing_to_serve_is_said(tmp_path):
    with pytest.raises(PortalRefused, match="nothing has been published"):
        server(tmp_path, 0)


def test_a_port_in_use_is_said(published):
    with server(published.root, 0) as running, pytest.raises(PortalRefused, match="cannot be used"):
        server(published.root, running.server_address[1])
