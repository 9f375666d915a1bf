"""Loss as a drawing: for each level, the share that is not shown, by programme, over designs or over releases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from rnu.ubigeo import LEVELS

if TYPE_CHECKING:  # whoever only draws needs no engine
    from rnu.loss.measure import Comparison

NAMES = {"nacion": "Nación", "departamento": "Departamento", "provincia": "Provincia", "distrito": "Distrito"}
KEYS = {"threshold": "umbral", "population_floor": "piso de población"}
# Okabe and Ito's colours, told apart by colour-blind readers too, and three greys
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#777777", "#b0a000")
WIDTH, HEIGHT = 380, 250  # of a panel's drawing
LEFT, TOP, GAP, LABELS, FOOT = 54, 70, 70, 130, 0  # pixels around panels
STEWARDS = "Solo para quien revisa."
LETTER = 7  # pixels of a label's letter, at most on average
LINE = 14  # the least distance between two labels

Curve = Sequence[float | None]  # a share for each design; None where nothing could be shown


def chart(found: Comparison) -> str:
    """An SVG of today's design and the tried ones."""
    axis, names = _axis(found.names)
    title = f"Parte de las cifras de cada nivel que no se muestra, {found.period}"
    note = f"Con el diseño de hoy (círculo) y con los que se prueban{axis}; cada línea es un programa. {STEWARDS}"
    return drawing(title, note, names, {level: _curves(found, level) for level in LEVELS}, apart=True)


def drawing(
    title: str, note: str, names: Sequence[str], curves: Mapping[str, Mapping[str, Curve]], *, apart: bool = False
) -> str:
    """An SVG of two by two panels, one for each level: a line for each programme, over what is named.

    With `apart` the first one stands for itself, hollow and without a line to the next.
    """
    labels = max([LABELS, *(LETTER * len(label) + 10 for own in curves.values() for label in own)])
    across, down = LEFT + WIDTH + labels, HEIGHT + GAP
    panels = [
        _panel(level, curves[level], names, left=LEFT + i % 2 * across, top=TOP + i // 2 * down + 20, apart=apart)
        for i, level in enumerate(LEVELS)
    ]
    width, height = 2 * across, TOP + 2 * down + FOOT
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            ' font-family="system-ui, sans-serif" font-size="12" role="img">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{width}" height="{height}" fill="#fff"/>',
            f'<text x="{LEFT}" y="26" font-size="17">{escape(title)}</text>',
            f'<text x="{LEFT}" y="44" fill="#555">{escape(note)}</text>',
            *panels,
            "</svg>\n",
        )
    )


def _curves(found: Comparison, level: str) -> dict[str, Curve]:
    """For every programme's table, the share of its figures that each design does not show at a level."""
    depth = LEVELS.index(level)
    return {
        label: tuple(None if one.levels is None else one.levels[depth].share_unshown for one in same)
        for label, same in zip(found.labels, zip(*found.measured, strict=True), strict=True)
    }


def _axis(names: Sequence[str]) -> tuple[str, list[str]]:
    """What is tried, in words, and the name of each design; a key that all have in common is said once.

    >>> _axis(("today", "threshold=3", "threshold=8")), _axis(("today", "distrito=0 sis.threshold=8"))
    ((': umbral', ['hoy', '3', '8']), ('', ['hoy', 'cruces por distrito 0, sis: umbral 8']))
    """
    changes = [[_words(change) for change in name.split()] for name in names[1:]]
    keys = {key for change in changes for key, _ in change}
    if len(keys) == 1:
        return f": {next(iter(keys))}", ["hoy", *(change[0][1] for change in changes)]
    return "", ["hoy", *(", ".join(f"{key} {value}" for key, value in change) for change in changes)]


def _words(change: str) -> tuple[str, str]:
    name, _, value = change.partition("=")
    programme, _, key = name.rpartition(".")
    words = KEYS.get(key, f"cruces por {key}")
    return f"{programme}: {words}" if programme else words, value


def _panel(level: str, curves: Mapping[str, Curve], names: Sequence[str], *, left: int, top: int, apart: bool) -> str:
    most = _ceiling(max((s for curve in curves.values() for s in curve if s is not None), default=0.0))
    at = [left + WIDTH * (i + 0.5) / len(names) for i in range(len(names))]

    def y(share: float) -> float:
        return top + HEIGHT * (1 - share / most)

    out = [f'<text x="{left}" y="{top - 10}" font-weight="bold">{NAMES[level]}</text>']
    for step in range(5):
        share = most * step / 4
        out.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y(share):.1f}" y2="{y(share):.1f}" stroke="#ddd"/>')
        out.append(
            f'<text x="{left - 6}" y="{y(share) + 4:.1f}" text-anchor="end" fill="#555">{_percent(share)}</text>'
        )
    for x, name in zip(at, names, strict=True):
        out.append(f'<text x="{x:.1f}" y="{top + HEIGHT + 18}" text-anchor="middle">{escape(name)}</text>')
    ends = []
    for (programme, curve), colour in zip(curves.items(), _colours(len(curves)), strict=True):
        points = [(x, y(share)) for x, share in zip(at, curve, strict=True) if share is not None]
        if not points:
            continue
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points if px > at[0] or not apart)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for px, py in points:
            inside = "#fff" if apart and px == at[0] else colour
            out.append(
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{inside}" stroke="{colour}" stroke-width="2"/>'
            )
        ends.append((points[-1][1], programme, colour))
    out += [
        f'<text x="{left + WIDTH + 6}" y="{height + 4:.1f}" fill="{colour}">{escape(programme)}</text>'
        for height, programme, colour in _apart(ends, top + HEIGHT)
    ]
    return "\n".join(out)


def _apart(ends: Sequence[tuple[float, str, str]], lowest: float) -> list[tuple[float, str, str]]:
    """Labels beside the ends of their lines, moved up where they would lie on each other."""
    placed: list[tuple[float, str, str]] = []
    limit = lowest + LINE
    for height, programme, colour in sorted(ends, reverse=True):
        limit = min(height, limit - LINE) if placed else min(height, lowest)
        placed.append((limit, programme, colour))
    return placed


def _colours(many: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(many)]


def _ceiling(share: float) -> float:
    """A round number above a share, for the axis.

    >>> [_ceiling(share) for share in (0.0, 0.013, 0.21, 0.97)]
    [0.01, 0.02, 0.4, 1.0]
    """
    return next((round_ for round_ in (0.01, 0.02, 0.04, 0.1, 0.2, 0.4) if share <= round_), 1.0)


def _percent(share: float) -> str:
    """A share for the axis, as it is written in Peru.

    >>> _percent(0.005), _percent(0.25)
    ('0.5 %', '25 %')
    """
    return f"{100 * share:.3g} %"
