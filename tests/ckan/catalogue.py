"""Run by the portal's own Python: every English word its packages can say on a page, with the Spanish a visitor gets.

Printed as JSON, msgid to Spanish; empty where there is none.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("ckan", "ckanext.activity", "ckanext.datastore", "ckanext.harvest", "ckanext.scheming", "ckanext.dcat")
# In the order in which CKAN merges them: later ones win.
CATALOGUES = (("ckan", "ckan"), ("ckanext.dcat", "ckanext-dcat"), ("ckanext.rnu", "ckanext-rnu"))
WHAT = (
    ("**/tests/**", "ignore"),
    ("**-midnight-blue/**", "ignore"),
    ("**/vendor/**", "ignore"),
    ("**.min.js", "ignore"),
    ("**.py", "python"),
    ("**.js", "javascript"),
    ("**.html", "ckan"),
)


def folder(package: str) -> Path:
    return Path(find_spec(package).submodule_search_locations[0])


def places(package: str) -> list[Path]:
    """Where a package's words stand; CKAN's own also has tools and models that speak to no visitor."""
    root = folder(package)
    if package != "ckan":
        return [root]
    return [root / name for name in ("templates", "views", "lib", "logic", "public/base/javascript")]


def words() -> set[str]:
    from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir  # of the portal's environment

    found = set()
    for package in PACKAGES:
        for place in places(package):
            extracted = extract_from_dir(
                str(place),
                method_map=WHAT,
                options_map={"**.html": {"silent": "True"}},  # harvest keeps templates of CKAN 2.0, which nothing reads
                keywords=DEFAULT_KEYWORDS,
            )
            found |= {said if isinstance(said, str) else said[0] for _, _, said, _, _ in extracted}
    return found - {""}


def spanish() -> dict[str, str]:
    from babel.support import Translations

    merged = Translations()
    for package, domain in CATALOGUES:
        merged.merge(Translations.load(folder(package) / "i18n", ["es"], domain))
    # a plural's forms are (msgid, 0) and (msgid, 1)
    return {key if isinstance(key, str) else key[0]: said for key, said in merged._catalog.items()}


if __name__ == "__main__":
    known = spanish()
    json.dump({word: known.get(word, "") for word in sorted(words())}, sys.stdout, ensure_ascii=False)
