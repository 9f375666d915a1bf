"""The DKAN portal: what visitors see is whole and as it was signed, whatever the portal does meanwhile."""

import copy
import json
import shutil
import socket
import threading
from dataclasses import replace

import pytest

from rnu.errors import PortalRefused, ReviewRequired, SettingsError
from rnu.publication import writer
from rnu.publish.dkan import ATTEMPTS, DkanPortal, Metastore
from rnu.publish.folder import CURRENT, FolderPortal
from rnu.publish.serve import server
from rnu.settings import Portal, load
from tests.rnu import dkan_server
from tests.rnu import release_examples as ex
from tests.rnu.dkan_server import PASSWORD, USER, well
from tests.rnu.test_publish_folder import publication


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """January, and February, in which Juntos came too."""
    base = tmp_path_factory.mktemp("releases")
    february = ex.contents("2026-02", sis=((22, 31), (0, 12), (1500, 800)), notes=("Datos <inventados> & demás.",))
    homes = ex.with_cells(february.tables[2], ex.safe([[10, 10], [10, 10], [10, 10]]))
    february = replace(february, tables=(*february.tables[:2], homes))
    return publication(base / "a", ex.contents()), publication(base / "b", february)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Files:
    """A folder portal over HTTP that comes to show other releases in no time: each of its sites was built once."""

    def __init__(self, root, address, releases):
        self.root = root
        self.portal = Portal("sitio", "folder", address, "Sitio", "site")
        self.built = {}
        for shown in ((), releases[:1], releases):
            portal = FolderPortal(root / str(len(shown)), self.portal, ex.INSTITUTION)
            portal.publish(shown)
            self.built[shown] = portal

    def publish(self, releases):
        link = self.root / CURRENT
        link.unlink(missing_ok=True)
        link.symlink_to(self.built[releases].site)

    def digest(self, releases):
        return self.built[releases].compare(releases).digest


@pytest.fixture(scope="module")
def served(tmp_path_factory, releases):
    port = free_port()
    files = Files(tmp_path_factory.mktemp("site"), f"http://127.0.0.1:{port}", releases)
    files.publish(releases)
    with server(files.root, port) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield files
        running.shutdown()
        thread.join()


@pytest.fixture
def files(served, releases):
    served.publish(releases[:1])
    return served


@pytest.fixture
def dkan():
    with dkan_server.running() as running:
        yield running


def portal_at(dkan, files, sign_in=f"{USER}:{PASSWORD}", **changes):
    portal = Portal("dkan", "dkan", dkan.url, "DKAN", prefix="prueba", files="sitio")
    return DkanPortal(
        Metastore.signed_in(dkan.url, sign_in, patience=0),
        Metastore.visited(dkan.url, patience=0),
        portal,
        ex.INSTITUTION,
        files.portal.url,
        **changes,
    )


@pytest.fixture
def portal(dkan, files):
    return portal_at(dkan, files)


def publish(portal, files, releases):
    """As `rnu publish` does: the folder portal first."""
    files.publish(releases)
    return portal.publish(releases)


def by_title(dkan):
    return {item["title"].partition(" ")[0]: item for item in dkan.listed("dataset")}


# --- what is there afterwards ------------------------------------------------------------------------------------


def test_each_cube_is_a_dataset_whose_tables_come_first_and_have_a_dictionary(portal, dkan, files, releases):
    assert publish(portal, files, releases).changed
    users = by_title(dkan)["Usuarios"]
    formats = [file["format"] for file in users["distribution"]]
    assert formats == ["csv"] * 4 + ["xlsx", "parquet"] * 4 + ["zip"]
    assert users["temporal"] == "2026-01-01/2026-02-28"
    for file in users["distribution"][:4]:
        dictionary = dkan.item("data-dictionary", file["describedBy"].rpartition("/")[2])
        fields = {f["name"]: f for f in dictionary["data"]["fields"]}
        assert (fields["ubigeo"]["type"], fields["usuarios"]["type"]) == ("string", "integer")
        assert fields["marca"]["description"] == "Dice por qué no hay número. Vacía cuando el número se muestra."
        assert {i["fields"][0]["name"] for i in dictionary["data"]["indexes"]} == {"periodo", "programa", "ubigeo"}


def test_it_is_served_as_it_was_signed_with_the_same_digest_as_the_folder(portal, files, releases):
    publish(portal, files, releases)
    found = portal.compare(releases)
    assert (found.differences, found.files, found.tables) == ((), 2 * 13, 8)
    assert found.digest == files.digest(releases)
    assert set(portal.shown()) == {r.digest for r in releases}


def test_the_same_again_changes_nothing(portal, dkan, files, releases):
    publish(portal, files, releases)
    dkan.asked.clear()
    assert not portal.publish(releases).changed
    assert dkan.written == []


def test_a_new_release_takes_one_put_per_dataset_after_its_dictionaries(portal, dkan, files, releases):
    publish(portal, files, releases[:1])
    before = by_title(dkan)
    dkan.asked.clear()
    publish(portal, files, releases)
    after = by_title(dkan)
    assert [item["identifier"] for item in before.values()] == [item["identifier"] for item in after.values()]
    puts = [path.split("/")[0] for _, path in dkan.written]
    assert puts.count("dataset") == 2
    assert all(r.digest in json.dumps(after["Usuarios"]["references"]) for r in releases)
    assert portal.compare(releases).differences == ()


def test_a_table_whose_content_changed_has_another_address_so_that_dkan_fetches_it(portal, dkan, files, releases):
    publish(portal, files, releases[:1])
    before = by_title(dkan)["Usuarios"]["distribution"][0]["downloadURL"]
    publish(portal, files, releases)
    after = by_title(dkan)["Usuarios"]["distribution"][0]["downloadURL"]
    assert before != after
    assert before.partition("?")[0] == after.partition("?")[0]


def test_a_withdrawn_release_leaves_files_dictionaries_and_search_and_a_note(portal, dkan, files, releases):
    publish(portal, files, releases)
    ids = [item["identifier"] for item in dkan.listed("dataset")]
    assert publish(portal, files, ()).changed
    assert [dkan.state("dataset", id) for id in ids] == ["hidden", "hidden"]
    for id in ids:
        item = dkan.item("dataset", id)
        assert "retiradas" in item["description"]
        assert "distribution" not in item
    assert dkan.listed("data-dictionary") == []
    assert portal.shown() == ()
    assert not portal.publish(()).changed
    publish(portal, files, releases)
    assert [dkan.state("dataset", id) for id in ids] == ["published", "published"]
    assert portal.compare(releases).differences == ()


def test_another_programs_datasets_are_left_alone(portal, dkan, files, releases):
    other = {"identifier": "x", "title": "Ajeno", "description": "Ajeno.", "accessLevel": "public"}
    dkan.put("dataset", "x", {**other, "modified": "2026-01-01", "keyword": ["ajeno"]})
    publish(portal, files, releases)
    publish(portal, files, ())
    assert dkan.item("dataset", "x")["title"] == "Ajeno"
    assert dkan.state("dataset", "x") == "published"


def test_a_portal_that_makes_drafts_of_what_it_is_given_is_told_to_publish(portal, dkan, files, releases):
    dkan.default_state = "draft"
    publish(portal, files, releases)
    assert portal.compare(releases).differences == ()


def test_copies_that_dkan_fetched_are_as_good_as_the_files(portal, dkan, files, releases):
    dkan.copies = True
    publish(portal, files, releases)
    dkan.asked.clear()
    assert not portal.publish(releases).changed
    assert portal.compare(releases).differences == ()
    assert any("/sites/default/files/" in path for _, path in dkan.asked)


# --- changed by hand ---------------------------------------------------------------------------------------------


def _form(item):
    """DKAN's form writes what its schema knows, and drops the rest."""
    item.pop("rnu")
    item["title"] = "Otro título"


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(description="Otra descripción."),
        lambda item: item["distribution"][0].update(downloadURL="http://otro.invalid/usuarios_nacion.csv"),
        lambda item: item["distribution"].pop(),
        _form,
    ],
)
def test_a_dataset_changed_by_hand_is_not_written_over_unasked(portal, dkan, files, releases, change):
    publish(portal, files, releases[:1])
    id = by_title(dkan)["Usuarios"]["identifier"]
    dkan.by_hand("dataset", id, change)
    changed = dkan.item("dataset", id)
    assert portal.compare(releases[:1]).differences != ()
    with pytest.raises(PortalRefused, match="changed by hand"):
        publish(portal, files, releases)
    assert dkan.item("dataset", id) == changed
    assert portal_at(dkan, files, overwrite=True).publish(releases).changed
    assert portal.compare(releases).differences == ()


def test_a_dictionary_changed_by_hand_is_not_written_over_unasked(portal, dkan, files, releases):
    publish(portal, files, releases)
    id = dkan.listed("data-dictionary")[0]["identifier"]
    dkan.by_hand("data-dictionary", id, lambda item: item["data"]["fields"][0].update(title="Otro"))
    assert any("dictionary" in told for told in portal.compare(releases).differences)
    with pytest.raises(PortalRefused, match="changed by hand"):
        portal.publish(releases)
    portal_at(dkan, files, overwrite=True).publish(releases)
    assert portal.compare(releases).differences == ()


# --- what can go wrong -------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_cut_off_at_any_call_the_next_run_finishes(portal, dkan, files, releases):
    publish(portal, files, releases[:1])
    files.publish(releases)
    before = copy.deepcopy(dkan.kept)
    dkan.asked.clear()
    portal.publish(releases)
    calls = len(dkan.asked)
    assert calls > 12
    for cut in range(calls):
        dkan.kept = copy.deepcopy(before)
        dkan.asked.clear()
        dkan.misbehave = lambda _, cut=cut: "drop" if len(dkan.asked) > cut else None
        with pytest.raises(PortalRefused, match="does not answer"):
            portal.publish(releases)
        dkan.misbehave = well
        for item in dkan.listed("dataset"):  # the old release or the new one, never half
            new = len(item["references"]) == 2
            assert (item["temporal"] == "2026-01-01/2026-02-28") == new
        portal.publish(releases)
        assert portal.compare(releases).differences == ()


def test_a_busy_portal_is_asked_again(portal, dkan, files, releases):
    files.publish(releases)
    dkan.misbehave = lambda call: 503 if dkan.asked.count(call) < 3 else None
    assert portal.publish(releases).changed
    dkan.misbehave = well
    assert portal.compare(releases).differences == ()


def test_a_write_whose_answer_was_lost_is_not_taken_for_a_refusal(portal, dkan, files, releases):
    files.publish(releases)
    dkan.misbehave = lambda call: "lost" if call[0] == "PUT" and dkan.asked.count(call) == 1 else None
    assert portal.publish(releases).changed
    assert portal.compare(releases).differences == ()


def only(method, answer):
    return lambda call: answer if call[0] == method else None


@pytest.mark.parametrize(
    ("fault", "told", "remedy"),
    [
        (only("PUT", 403), "may not PUT", "permission"),
        (only("PUT", 409), r"finds fault \(409\): Made to fail", "former release"),
        (only("PUT", 422), r"finds fault \(422\)", "former release"),
        (only("GET", 404), "no such thing", "DKAN 2"),
        (only("GET", "page"), "no JSON", "DKAN 2"),
        (only("PUT", 500), r"error of its own \(500\)", "see to the portal"),
        (only("GET", "drop"), "does not answer", "see to the portal"),
    ],
)
def test_what_the_portal_answers_is_told_and_nothing_is_shown(portal, dkan, files, releases, fault, told, remedy):
    files.publish(releases)
    dkan.misbehave = fault
    with pytest.raises(PortalRefused, match=told) as caught:
        portal.publish(releases)
    assert remedy in caught.value.remedy
    assert PASSWORD not in str(caught.value)
    assert dkan.listed("dataset") == []


def test_an_error_of_the_portals_own_is_tried_a_few_times_and_no_more(portal, dkan, files, releases):
    files.publish(releases)
    dkan.misbehave = only("PUT", 500)
    with pytest.raises(PortalRefused):
        portal.publish(releases)
    assert len([1 for method, _ in dkan.asked if method == "PUT"]) == ATTEMPTS


def test_what_does_not_fit_the_schema_is_told_with_its_place(dkan, files, releases, portal):
    files.publish(releases)
    wrong = replace(portal, institution=replace(ex.INSTITUTION, email="sin arroba"))
    with pytest.raises(PortalRefused, match=r"validation failed\. at contactPoint/hasEmail"):
        wrong.publish(releases)
    assert dkan.listed("dataset") == []


def test_a_wrong_password_is_told_and_not_repeated(dkan, files, releases):
    files.publish(releases)
    with pytest.raises(PortalRefused, match="does not accept the sign-in") as caught:
        portal_at(dkan, files, sign_in=f"{USER}:otra").publish(releases)
    assert "otra" not in str(caught.value)


def test_an_account_without_the_right_is_told(portal, dkan, files, releases):
    files.publish(releases)
    dkan.may_write = False
    with pytest.raises(PortalRefused, match="may not PUT"):
        portal.publish(releases)


def test_a_portal_that_is_down_is_told(releases, portal):
    down = Metastore.visited(f"http://127.0.0.1:{free_port()}", patience=0)
    with pytest.raises(PortalRefused, match="does not answer"):
        replace(portal, store=down).publish(releases)


def test_files_that_are_not_served_yet_keep_the_portal_as_it_was(portal, dkan, releases):
    portal.publish(releases[:1])
    dkan.asked.clear()
    with pytest.raises(PortalRefused, match="other bytes") as caught:
        portal.publish(releases)
    assert "rnu publish sitio" in caught.value.remedy
    assert dkan.written == []


def test_a_release_whose_bytes_changed_is_not_published(portal, dkan, releases, tmp_path):
    shutil.copytree(releases[0].folder, tmp_path / "changed")
    with (tmp_path / "changed" / "LEEME.md").open("a") as file:
        file.write(" ")
    with pytest.raises(ReviewRequired, match=r"LEEME\.md differs"):
        portal.publish((replace(releases[0], folder=tmp_path / "changed"),))
    assert dkan.asked == []


def test_a_file_that_changed_where_it_lies_is_a_difference(portal, files, releases):
    publish(portal, files, releases)
    table = files.root / CURRENT / "datos" / "usuarios" / "usuarios_nacion.csv"
    good = table.read_bytes()
    try:
        table.write_bytes(good.replace(b"2365", b"2366"))
        (told,) = portal.compare(releases).differences
        assert "usuarios_nacion.csv" in told
        table.unlink()
        assert len(portal.compare(releases).differences) == 1
    finally:
        table.write_bytes(good)


def test_a_release_that_nobody_approved_is_a_difference(portal, files, releases):
    publish(portal, files, releases)
    told = portal.compare(releases[:1]).differences
    assert any(releases[1].digest[:12] in difference and "not approved" in difference for difference in told)


# --- how it is set up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sign_in", "told"),
    [
        ("https://datos.invalid", "solo-usuario", "user:password"),
        ("http://datos.invalid", "usuario:clave", "unencrypted"),
    ],
)
def test_a_sign_in_is_complete_and_travels_encrypted(url, sign_in, told):
    with pytest.raises(SettingsError, match=told) as caught:
        Metastore.signed_in(url, sign_in)
    assert sign_in not in str(caught.value)


def _institution(folder, line):
    shutil.copytree(ex.ROOT / "config", folder / "config")
    shutil.copytree(ex.ROOT / "schemas", folder / "schemas")
    with (folder / "config" / "portals.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[portal]]\nid = "dkan"\nhow = "dkan"\nurl = "https://datos.invalid"\ntitle = "DKAN"\n{line}\n')
    return folder


def test_the_sign_in_comes_from_a_secret_and_files_from_the_folder_portal(tmp_path, monkeypatch):
    settings = load(_institution(tmp_path, 'files = "sitio"'))
    monkeypatch.setenv("RNU_TOKEN_DKAN", "usuario:clave:larga\n")
    made = writer(settings, settings.portal("dkan"))
    assert made.store.session.auth == ("usuario", "clave:larga")
    assert made.visitor.session.auth is None
    assert made.files == settings.portal("sitio").url


@pytest.mark.parametrize(("line", "told"), [("", "needs 'files'"), ('files = "otro"', "'otro' is not known")])
def test_a_dkan_portal_names_the_folder_portal_of_its_files(tmp_path, line, told):
    with pytest.raises(SettingsError, match=told):
        load(_institution(tmp_path, line))
