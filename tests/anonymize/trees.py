"""Random dimensions: trees of whatever shape over a few categories."""

from __future__ import annotations

from hypothesis import strategies as st

from anonymize.tables import Dimension


@st.composite
def dimension(draw: st.DrawFn, id: str, size: int, most_groups: int = 2) -> Dimension:
    """Categories with groups of some of them, and of groups, between them and the total; none makes it flat.

    A group may have one node below it, or everything; categories may stand at different depths.
    """
    parent: dict[int, int] = {}
    tops = list(range(size))
    for group in range(size, size + draw(st.integers(0, most_groups))):
        first = draw(st.integers(0, len(tops) - 1))
        last = draw(st.integers(first + 1, len(tops)))
        parent |= dict.fromkeys(tops[first:last], group)
        tops[first:last] = [group]
    groups = sorted(set(parent.values()))
    total = size + len(groups)
    above = tuple(parent.get(node, total) for node in range(total))
    return Dimension(id, tuple(f"c{i}" for i in range(size)), tuple(f"g{i}" for i in range(len(groups))), above)


@st.composite
def dimensions(draw: st.DrawFn, sizes: tuple[int, ...]) -> tuple[Dimension, ...]:
    """One for each size."""
    return tuple(draw(dimension(f"d{t}", size)) for t, size in enumerate(sizes))
