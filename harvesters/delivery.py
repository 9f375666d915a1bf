"""What a harvester brings home: whole files in a folder of ours, with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """One file of a delivery, as it came."""

    name: str  # the owner's name for it, without folders
    path: Path  # where its bytes lie now
    sha256: str
    size: int  # bytes


def digest(files: Iterable[Fetched]) -> str:
    """The delivery's digest: of the sorted manifest, so that neither order nor folder matters.

    >>> one = Fetched("a.csv", Path("x"), "00" * 32, 1)
    >>> two = Fetched("b.csv", Path("y"), "11" * 32, 1)
    >>> digest([one, two]) == digest([two, one])
    True
    """
    manifest = "".join(sorted(f"{f.sha256}  {f.name}\n" for f in files))
    return hashlib.sha256(manifest.encode()).hexdigest()


def keep(chunks: Iterable[bytes], target: Path) -> Fetched:
    """Write chunks to a file and hash them on the way. The file appears under its name only when it is whole."""
    part, hasher, size = target.with_name(f"{target.name}.part"), hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                hasher.update(chunk)
                size += len(chunk)
                file.write(chunk)
        return Fetched(target.name, part.replace(target), hasher.hexdigest(), size)
    finally:
        part.unlink(missing_ok=True)
