"""A release's certificates: public proofs, written, and those of programmes' tables read back beside their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from anonymize.joint.verify import JointCertificate
from anonymize.tables import TOTAL
from rnu.errors import DisclosureRisk, NotARelease, SettingsError, StoreError
from rnu.public.axes import Axis, flat, tree_of
from rnu.public.certificate import Claim, parsed, written
from rnu.public.linked import linked_written
from rnu.public.table import Public, read_cells
from rnu.release.columns import MARK, NOT_DELIVERED
from rnu.release.describe import CERTIFICATES, certificate_path
from rnu.release.manifest import MANIFEST
from rnu.release.model import Contents, ProgrammeTable
from rnu.release.read import dimensions, own_cubes, read_json, read_text_table, table_path
from rnu.settings import Period
from rnu.ubigeo import LEVELS

DATAPACKAGE = "datapackage.json"
PLACE = "ubigeo"


@dataclass(frozen=True, slots=True)
class ReleaseName:
    """A release as its own files call it."""

    period: Period
    revision: int

    def __str__(self) -> str:
        return f"{self.period} r{self.revision}"


# --- writing -----------------------------------------------------------------------------------------------------


def write_certificates(contents: Contents, folder: Path) -> None:
    """Write the certificate of every delivered table that has its own; DisclosureRisk where there is none."""
    (folder / CERTIFICATES).mkdir()
    release = ReleaseName(contents.period, contents.revision)
    for table in contents.tables:
        if table.safe is not None and table.certified:
            path = folder / certificate_path(table.cube.id, table.programme.id)
            path.write_bytes(_text(table, of_table(release, table.cube.id, table.programme.id)).encode())


def of_table(release: ReleaseName, cube: str, programme: str) -> dict[str, str]:
    """The table that a certificate is made for, as it says it."""
    return {"period": str(release.period), "revision": str(release.revision), "cube": cube, "programme": programme}


def _text(table: ProgrammeTable, of: Mapping[str, str]) -> str:
    if table.safe is None or table.certificate is None:
        raise DisclosureRisk(
            "a table has no certificate",
            where=f"{table.cube.id}, {table.programme.id}",
            remedy="only `secure` makes what a release may hold",
        )
    if isinstance(table.certificate, JointCertificate):
        return linked_written(table.certificate, of)
    axes = (
        Axis(PLACE, tree_of(table.safe.places)),
        *(Axis(d.id, flat(TOTAL, d.categories, d.id)) for d in table.safe.dimensions),
    )
    return written(axes, table.cube.measure, table.safe, table.certificate, of)


# --- reading -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A programme's table of a release as anybody holds it."""

    cube: str
    programme: str
    public: Public

    @property
    def name(self) -> str:
        """Cube and programme."""
        return f"{self.cube} {self.programme}"


def is_release(folder: Path) -> bool:
    """Whether a folder is, or looks like, a release rather than what `rnu protect` writes."""
    return any((folder / name).exists() for name in (DATAPACKAGE, MANIFEST, CERTIFICATES))


def release_of(folder: Path) -> ReleaseName:
    """A release's name; NotARelease if its data package cannot be read."""
    try:
        package = read_json(folder, DATAPACKAGE)
        return ReleaseName(Period.parse(str(package["periodo"])), int(package["revision"]))
    except StoreError as error:
        raise NotARelease(error.what, where=error.where, remedy="fetch the release again") from error
    except (KeyError, TypeError, ValueError, SettingsError) as error:
        raise NotARelease(f"{DATAPACKAGE} is not a release's", where=str(folder)) from error


def tables(folder: Path) -> Iterator[Table]:
    """Every delivered table whose cube's files are there; NotARelease if a file or certificate cannot be read."""
    try:
        for cube in own_cubes(folder):
            frames = csv_frames(folder, cube)
            programmes = dict.fromkeys(
                p for frame in frames for p in frame.loc[frame[MARK] != NOT_DELIVERED, "programa"]
            )
            for programme in programmes:
                yield Table(cube, programme, _public(folder, cube, programme, frames))
    except StoreError as error:
        raise NotARelease(error.what, where=error.where, remedy="fetch the release again") from error
    except (LookupError, TypeError) as error:
        raise not_as_built(folder, error) from error


def not_as_built(folder: Path, error: Exception) -> NotARelease:
    """A release that says something of itself otherwise than `build` does."""
    return NotARelease(
        f"what the release says of itself cannot be understood ({type(error).__name__})",
        where=str(folder),
        remedy="fetch the release again",
    )


def csv_frames(folder: Path, cube: str, levels: Sequence[str] = LEVELS) -> list[pd.DataFrame]:
    """A cube's tables as text, root level first; none if the folder has no file of it."""
    paths = [table_path(folder, cube, level) for level in levels]
    if not any(path.exists() for path in paths):
        return []
    try:
        return [read_text_table(path) for path in paths]
    except (OSError, ValueError) as error:
        raise NotARelease(
            f"a table of {cube} cannot be read ({type(error).__name__})", where=str(folder), remedy="fetch it again"
        ) from error


def _public(folder: Path, cube: str, programme: str, frames: Sequence[pd.DataFrame]) -> Public:
    path = folder / certificate_path(cube, programme)
    try:
        claim = parsed(path.read_text(encoding="utf-8"))
        return read_cells(claim, _rows(claim, programme, frames))
    except FileNotFoundError as error:
        raise NotARelease(f"there is no certificate of {programme}", where=str(path), remedy="fetch it") from error
    except (OSError, ValueError) as error:
        raise NotARelease(
            f"the certificate of {programme} and the tables cannot be read together: {error}",
            where=str(path),
            remedy="fetch both of the same release again",
        ) from error


def _rows(claim: Claim, programme: str, frames: Sequence[pd.DataFrame]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    columns = [axis.column for axis in claim.axes]
    for frame in frames:
        own = frame[frame["programa"] == programme]
        # a programme may have fewer breakdowns than its cube: the others' columns say nothing but `total`
        named = [d for d in dimensions(frame) if d in columns or (own[d] != TOTAL).any()]
        if columns != [PLACE, *named] or claim.count != frame.columns[-2]:
            raise ValueError("they have other columns")
        codes = zip(*(own[column].tolist() for column in columns), strict=True)
        yield from zip(codes, own[claim.count].tolist(), own[MARK].tolist(), strict=True)
