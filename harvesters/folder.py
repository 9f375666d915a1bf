"""Fetch from a folder: a mounted share, an SFTP drop, a directory on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harvesters.delivery import CHUNK, Fetched, keep
from harvesters.errors import Unavailable


def fetch(root: Path, pattern: str, into: Path, *, max_bytes: int) -> tuple[Fetched, ...]:
    """Copy the files below `root` that match a glob, in order of name, and hash them on the way.

    Raises Unavailable if none matches, if two share a name, or if they are larger than `max_bytes` together.
    """
    where = str(root / pattern)
    paths = sorted((p for p in root.glob(pattern) if p.is_file()), key=lambda p: p.name)
    if not paths:
        raise Unavailable("no file there yet", where)
    if len({p.name for p in paths}) < len(paths):
        raise Unavailable("two files bear the same name", where)
    try:
        if sum(p.stat().st_size for p in paths) > max_bytes:
            raise Unavailable(f"larger than the limit of {max_bytes} bytes", where)
    except OSError as error:
        raise Unavailable(f"cannot be read ({error.strerror})", where) from error
    return tuple(keep(_chunks(path, where), into / path.name) for path in paths)


def _chunks(path: Path, where: str) -> Iterator[bytes]:
    """A file's bytes; tells a source that fails while it is read from a disk of ours that is full."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except OSError as error:
        raise Unavailable(f"cannot be read ({error.strerror})", where) from error
