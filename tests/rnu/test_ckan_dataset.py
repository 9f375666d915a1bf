"""What counts as a change by hand in a dataset that CKAN shows."""

from __future__ import annotations

from rnu.publish.ckan_dataset import state


def live(site: str, **changed: str) -> dict:
    resource = {"id": "r1", "url_type": "upload", "url": f"{site}/dataset/d1/resource/r1/download/usuarios.csv"}
    return {"title": "Usuarios", "metadata_modified": "hoy", "resources": [resource | changed]}


def test_a_portal_that_moves_to_another_address_was_not_edited():
    assert state(live("http://127.0.0.1:8810")) == state(live("https://datos.ejemplo.invalid"))


def test_another_file_or_a_link_elsewhere_is_a_change():
    site = "http://127.0.0.1:8810"
    other = f"{site}/dataset/d1/resource/r1/download/otra.csv"
    assert state(live(site)) != state(live(site, url=other))
    assert state(live(site)) != state(live(site, url_type="", url="https://otro.invalid/usuarios.csv"))
