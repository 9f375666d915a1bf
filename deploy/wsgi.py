"""CKAN for a WSGI server, with the security headers; CKAN_INI names its settings."""

import os

from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app

from deploy.headers import HEADERS, read, with_headers

application = with_headers(
    make_app(CKANConfigLoader(os.environ["CKAN_INI"]).get_config()), read(HEADERS.read_text(encoding="utf-8"))
)
