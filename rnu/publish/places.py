"""Which places of a level somebody means who writes a name, or a code's first digits."""

from __future__ import annotations

import unicodedata
from functools import cache

from rnu import defaults
from rnu.ubigeo import LEVELS, NATION, Gazetteer


def places(asked: str, level: str) -> tuple[str, ...]:
    """Codes of a level whose own name, or that of a place they lie in, begins with what was asked; or whose code does.

    >>> places("tumbes", "provincia"), places("2401", "provincia"), places("La Convencion", "provincia")
    (('2401', '2402', '2403'), ('2401',), ('0809',))
    >>> places("Tumbes", "nacion"), places("Atlántida", "distrito")
    ((), ())
    """
    wanted = _folded(asked)
    if not wanted or level == LEVELS[0]:
        return ()
    named = _names()
    length = 2 * LEVELS.index(level)
    own = (code for code in named if len(code) == length and code != NATION)
    if wanted.isdigit():
        found = (code for code in own if code.startswith(wanted) or wanted.startswith(code))
    else:
        found = (code for code in own if any(name.startswith(wanted) for name in named[code]))
    return tuple(found)


@cache
def _names() -> dict[str, tuple[str, ...]]:
    gazetteer = Gazetteer.load(defaults.folder() / "config" / "reference" / "ubigeo.csv")
    return {code: tuple(_folded(name) for name in names if name) for code, names in gazetteer.names().items()}


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return " ".join(plain.split())
