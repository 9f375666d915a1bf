"""The reference list of places: INEI's codes with names, and the RENIEC code of the same district."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anonymize.tables import Places
from rnu.errors import SettingsError

NATION = "PE"
LEVELS = ("nacion", "departamento", "provincia", "distrito")


@dataclass(frozen=True, slots=True)
class District:
    """One district of the reference list."""

    code: str  # INEI, six digits
    reniec: str  # RENIEC's code, empty where unknown
    department: str
    province: str
    name: str


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """All districts that a release covers, in order of code."""

    districts: tuple[District, ...]

    @classmethod
    def load(cls, path: Path, departments: Sequence[str] = ()) -> Gazetteer:
        """Read `ubigeo.csv`; keep only some departments if any are named. SettingsError if the file is not there."""
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
        except OSError as error:
            raise SettingsError(
                "the reference list of places cannot be read",
                where=str(path),
                remedy="`rnu init` copies one; put it back",
            ) from error
        districts = tuple(
            District(r["ubigeo"], r["reniec"], r["departamento"], r["provincia"], r["distrito"])
            for r in sorted(rows, key=lambda r: r["ubigeo"])
            if not departments or r["ubigeo"][:2] in departments
        )
        unknown = set(departments) - {d.code[:2] for d in districts}
        if unknown:
            raise SettingsError(f"no department has code {', '.join(sorted(unknown))}", where="cubes.toml: departments")
        return cls(districts)

    def tree(self) -> Places:
        """Nation, departments, provinces and districts."""
        return Places.of([(NATION, d.code[:2], d.code[:4], d.code) for d in self.districts], LEVELS)

    def names(self) -> dict[str, tuple[str, str, str]]:
        """Code of any level -> (department, province, district), empty where the level has none."""
        out: dict[str, tuple[str, str, str]] = {NATION: ("", "", "")}
        for d in self.districts:
            out[d.code[:2]] = (d.department, "", "")
            out[d.code[:4]] = (d.department, d.province, "")
            out[d.code] = (d.department, d.province, d.name)
        return out
