"""A portal in a folder: a static site that any web server can serve.

    <folder>/current            link to the site that visitors see: **serve this one**
    <folder>/.sites/<digest>/   sites, named by their contents; the one before the current is kept
    <folder>/.releases/<digest>/  releases, copied once and shared with the sites by hard links

A site is built beside the current one and put in its place by replacing one link, so that a visitor sees the old site
or the new one, never half of each. A run that was killed leaves a folder that the next run removes. The caller's lock
keeps two runs apart.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rnu.errors import PortalRefused
from rnu.provenance import file_digest
from rnu.publish.dataset import write_datasets
from rnu.publish.portal import Compared, Outcome, Publication, digest_of, not_approved
from rnu.publish.site import write_site
from rnu.release.manifest import is_whole, manifest, verify
from rnu.settings import Institution, Portal
from rnu.store import first_of, sync, sync_tree

CURRENT = "current"
RELEASES = "releases"
_BUILDING = ".building"


class FolderPortal:
    """Writes a static site below a folder."""

    def __init__(self, root: Path, portal: Portal, institution: Institution) -> None:
        self.root = root
        self.portal = portal
        self.institution = institution

    @property
    def site(self) -> Path:
        """The folder that a web server must serve."""
        return self.root / CURRENT

    def shown(self) -> tuple[str, ...]:
        """Digests of the releases that visitors see now."""
        folder = self.site / RELEASES
        return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ()

    def publish(self, publications: Sequence[Publication]) -> Outcome:
        """Show exactly these releases; PortalRefused if the disk refuses, ReviewRequired if bytes have changed."""
        for publication in publications:
            verify(publication.folder, publication.digest)
        try:
            return self._publish(publications)
        except OSError as error:
            with suppress(OSError):
                self._sweep()
            first = first_of(error)
            raise PortalRefused(
                f"the portal's folder refused ({first.strerror})",
                where=str(first.filename or self.root),
                remedy="make room or give rights; visitors still see the former site; then publish again",
            ) from error

    def compare(self, publications: Sequence[Publication]) -> Compared:
        """Every release that the site shows, byte by byte, and every series, cell by cell."""
        shown = self.shown()
        told = [f"release {p.digest[:12]} is not shown" for p in publications if p.digest not in shown]
        told += not_approved(shown, publications)
        for digest in shown:
            if not is_whole(self.site / RELEASES / digest, digest):
                told.append(f"release {digest[:12]}: other bytes than those that were signed")
        with tempfile.TemporaryDirectory(prefix="rnu-folder-") as work:
            datasets = write_datasets(publications, Path(work))
            series = [level.series for dataset in datasets for level in dataset.levels]
            made = [*series, *(dataset.proof for dataset in datasets if dataset.proof)]
            for file in made:
                served = self.site / file.path
                if not served.is_file() or file_digest(served) != file.sha256:
                    told.append(f"{file.path}: other cells than those that were signed")
        files = sum(len(manifest(p.folder)) for p in publications) + len(made)
        return Compared(digest_of(shown), files, len(series), tuple(told))

    def _publish(self, publications: Sequence[Publication]) -> Outcome:
        for folder in (self.root, self._sites, self._pool):
            folder.mkdir(parents=True, exist_ok=True)
        self._sweep()
        for publication in publications:
            self._fetch(publication)
        building = self._build(publications)
        digest = tree_digest(building)
        former = self.site.resolve() if self.site.is_symlink() else None
        address = f"{self.portal.url}/"
        if former is not None and former.is_dir() and tree_digest(former) == digest:
            shutil.rmtree(building)
            return Outcome(False, digest, address)
        site = self._name(building, digest, former)
        self._swap(site)
        self._forget({site, former}, {publication.digest for publication in publications})
        return Outcome(True, digest, address)

    @property
    def _sites(self) -> Path:
        return self.root / ".sites"

    @property
    def _pool(self) -> Path:
        return self.root / ".releases"

    def _sweep(self) -> None:
        """Remove what a killed run left."""
        for leftover in (self._sites / _BUILDING, self._pool / _BUILDING):
            shutil.rmtree(leftover, ignore_errors=True)
        (self.root / f".{CURRENT}").unlink(missing_ok=True)

    def _fetch(self, publication: Publication) -> None:
        """Copy a release into the pool, unless it is there and whole."""
        pooled = self._pool / publication.digest
        if pooled.is_dir() and is_whole(pooled, publication.digest):
            return
        arriving = self._pool / _BUILDING
        shutil.copytree(publication.folder, arriving, copy_function=shutil.copyfile)
        _open_to_all(arriving)
        verify(arriving, publication.digest)
        shutil.rmtree(pooled, ignore_errors=True)
        arriving.rename(pooled)

    def _build(self, publications: Sequence[Publication]) -> Path:
        building = self._sites / _BUILDING
        for publication in publications:
            copy = building / RELEASES / publication.digest
            shutil.copytree(self._pool / publication.digest, copy, copy_function=_link)
        building.mkdir(exist_ok=True)
        pooled = [replace(p, folder=building / RELEASES / p.digest) for p in publications]
        write_site(pooled, self.portal, self.institution, building)
        _open_to_all(building)
        return building

    def _name(self, building: Path, digest: str, former: Path | None) -> Path:
        """Give a built site its name; another number if a damaged site of that name is being shown."""
        site = self._sites / digest
        if site == former:
            site = self._sites / f"{digest}-2"
        shutil.rmtree(site, ignore_errors=True)
        sync_tree(building)
        building.rename(site)
        sync(self._sites)
        return site

    def _swap(self, site: Path) -> None:
        link = self.root / f".{CURRENT}"
        link.symlink_to(site.relative_to(self.root))
        link.replace(self.site)
        sync(self.root)

    def _forget(self, sites: set[Path | None], digests: set[str]) -> None:
        """Remove sites older than the former one, and releases that are no longer shown."""
        kept = {site.name for site in sites if site is not None}
        for folder, names in ((self._sites, kept), (self._pool, digests)):
            for path in sorted(folder.iterdir()):
                if path.name not in names:
                    shutil.rmtree(path)


def tree_digest(folder: Path) -> str:
    """SHA-256 over the paths and contents of all files below a folder."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n".encode())
    return total.hexdigest()


def _link(source: str, target: str) -> None:
    """Link a file, so that a release lies on the disk once; copy it where the disk knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _open_to_all(folder: Path) -> None:
    """The store is closed to others (0700); what is published must be readable by the web server's user."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
