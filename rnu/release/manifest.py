"""The manifest of a release, its digest, and the check that not a byte has changed since."""

from __future__ import annotations

from pathlib import Path

from rnu.errors import ReviewRequired
from rnu.provenance import file_digest

MANIFEST = "MANIFIESTO.sha256"


def seal(folder: Path) -> str:
    """Write the manifest over every file of the folder and give the release's digest, that of the manifest.

    The manifest is in the format of `sha256sum`, sorted by path, so that anybody can check a release with
    `sha256sum -c MANIFIESTO.sha256` and its digest with `sha256sum MANIFIESTO.sha256`.
    """
    lines = (f"{file_digest(folder / path)}  {path}\n" for path in _files(folder))
    (folder / MANIFEST).write_bytes("".join(lines).encode())
    return file_digest(folder / MANIFEST)


def manifest(folder: Path) -> dict[str, str]:
    """Path of every file of a release -> its SHA-256, as the manifest says."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ReviewRequired("the release's manifest cannot be read", where=str(folder / MANIFEST)) from error
    pairs = (line.partition("  ") for line in text.splitlines())
    return {path: digest for digest, _, path in pairs}


def verify(folder: Path, digest: str) -> None:
    """Hash everything again; ReviewRequired naming the files that differ, are missing or are too many."""
    manifest(folder)
    if file_digest(folder / MANIFEST) != digest:
        raise _changed(folder, digest, f"{MANIFEST} is not the one that was signed")
    found = problems(folder)
    if found:
        more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
        raise _changed(folder, digest, "; ".join(found[:3]) + more)


def problems(folder: Path, *, part: bool = False) -> list[str]:
    """Files that differ from the manifest, are missing or are too many; ReviewRequired if it cannot be read.

    Of a part of a release files may be missing.
    """
    listed, found = manifest(folder), set(_files(folder))
    return [
        *(f"{path} is missing" for path in sorted(listed.keys() - found) if not part),
        *(f"{path} is not in the manifest" for path in sorted(found - listed.keys())),
        *(f"{path} differs" for path in sorted(found & listed.keys()) if file_digest(folder / path) != listed[path]),
    ]


def is_whole(folder: Path, digest: str) -> bool:
    """Whether a folder is exactly the release with this digest."""
    try:
        verify(folder, digest)
    except ReviewRequired:
        return False
    return True


def _files(folder: Path) -> list[str]:
    """Every file below the folder but the manifest, sorted; a link counts as a file and is refused."""
    paths = sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    links = [path for path in paths if path.is_symlink()]
    if links:
        raise ReviewRequired("a release holds a link", where=str(links[0]), remedy="a release is made of plain files")
    names = sorted(path.relative_to(folder).as_posix() for path in paths)
    return [name for name in names if name != MANIFEST]


def _changed(folder: Path, digest: str, what: str) -> ReviewRequired:
    return ReviewRequired(
        f"release {digest[:12]} is not what was signed: {what}",
        where=str(folder),
        remedy="build the period again and compare digests; publish nothing from this folder: if the digest is another "
        "one now, `rnu return` takes this release's approval back",
    )
