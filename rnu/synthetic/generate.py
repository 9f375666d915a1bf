"""All of it: draw a block of the country, deliver its rows, count the truth, forget it, go on to the next."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rnu.settings import Kind, Period, Source, Unit
from rnu.synthetic import infomidis, membership, rosters, schools
from rnu.synthetic.country import Block, Country, make, share_out
from rnu.synthetic.layouts import LAYOUTS, Sheet
from rnu.synthetic.people import ARRIVE, Moment, People, at, draw
from rnu.synthetic.rosters import BROKEN, Care, Rows
from rnu.synthetic.schools import Schools
from rnu.synthetic.truth import Tally, Truth
from rnu.synthetic.writers import Writer, writer
from rnu.ubigeo import Gazetteer

RAGGED_ROWS = 4  # per delivery, roughly: rows with a cell too many or too few are rare in life

Cut = tuple[str, Period]  # a source's id and one of its cuts
Progress = Callable[[int, int], None]  # people done, people in all


def generate(
    out: Path,
    regions: Sequence[str],
    persons: int | None,
    seed: int,
    periods: Sequence[Period],
    gazetteer: Gazetteer,
    sources: Sequence[Source],
    rows: int | None = None,
    *,
    broken: float = BROKEN,
    progress: Progress = lambda _done, _all: None,
) -> Truth:
    """Make up people and write what the sectors deliver of them below `out`, at the sources' own paths.

    `regions` are department codes (none: all 25). `persons` is how many people live there (none given: as many as
    `rows` needs, else real density). `rows` is the exact number of rows that the programmes' rosters have together in
    the first period; SIS takes what the others leave. `broken` is the share of rows with a defect. Beside the
    deliveries stand `population.csv`, `truth_cells.parquet` and, written last, `truth.json`.

    The same arguments give the same bytes. Periods made in one call are of the same people, those of two calls are
    not. Raises ValueError where the numbers do not fit together, or a source is not one of those known.
    """
    _check(sources, periods)
    ordered = tuple(sorted(set(periods)))
    cuts = tuple(sorted({s.cut(p) for s in sources for p in ordered}))
    if rows is not None and persons is None:
        persons = round(rows / membership.ROWS_PER_PERSON)
    country = make(gazetteer, regions, persons, seed, growth=ARRIVE * len(cuts))
    out.mkdir(parents=True, exist_ok=True)
    (out / "truth.json").unlink(missing_ok=True)
    _write_population(out, country)
    units = {id: layout.unit for id, layout in LAYOUTS.items()}
    run = _Run(country, cuts, ordered, tuple(sources), broken, Tally(country, ordered, sources, units))
    quota = _quota(country, rows)
    with ExitStack() as stack:
        writers = {
            (s.id, cut): stack.enter_context(writer(out, s, LAYOUTS[s.id], cut))
            for s in run.delivered
            for cut in sorted({s.cut(p) for p in ordered})
        }
        done = 0
        for block, block_rows in zip(country.blocks, quota, strict=True):
            run.block(block, block_rows, writers)
            done += block.people
            progress(done, int(country.population.sum()))
    for source in (s for s in sources if s.kind is Kind.OPEN):
        for period in ordered:
            infomidis.write(out, source, period, country, run.tally)
    truth = run.tally.truth()
    truth.write(out)
    return truth


def _check(sources: Sequence[Source], periods: Sequence[Period]) -> None:
    if not periods:
        raise ValueError("name at least one period")
    known = {*LAYOUTS, infomidis.ID}
    if unknown := [s.id for s in sources if s.id not in known]:
        raise ValueError(f"nobody knows how source '{unknown[0]}' would deliver made-up people")
    for needed in ("pgh", "sis"):
        if needed not in {s.id for s in sources}:
            raise ValueError(f"made-up people need source '{needed}'")


def _quota(country: Country, rows: int | None) -> list[int | None]:
    """How many rows the programmes' rosters have together in each block, if that was asked for."""
    if rows is None:
        return [None] * len(country.blocks)
    return [int(n) for n in share_out(rows, np.array([b.people for b in country.blocks]))]


def _write_population(out: Path, country: Country) -> None:
    with (out / "population.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["ubigeo", "poblacion"])
        lines.writerows((d.code, int(n)) for d, n in zip(country.districts, country.population, strict=True))


@dataclass(frozen=True, slots=True, repr=False)
class _Drawn:
    """One block: its people, how they stand at each cut, and the schools at each cut."""

    people: People
    moments: tuple[Moment, ...]
    schools: tuple[Schools, ...]


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same from block to block."""

    country: Country
    cuts: tuple[Period, ...]
    periods: tuple[Period, ...]
    sources: tuple[Source, ...]
    broken: float
    tally: Tally

    @property
    def delivered(self) -> tuple[Source, ...]:
        """The sources whose rows are made here; SIS last, because it takes what the others leave."""
        return tuple(sorted((s for s in self.sources if s.kind is not Kind.OPEN), key=lambda s: s.id == "sis"))

    def block(self, block: Block, rows: int | None, writers: Mapping[Cut, Writer]) -> None:
        """Draw one block, deliver it, count it."""
        people = draw(self.country, block, self.cuts)
        drawn = _Drawn(
            people,
            tuple(at(self.country, people, self.cuts, i) for i in range(len(self.cuts))),
            tuple(schools.draw(self.country, block, self.cuts, i) for i in range(len(self.cuts))),
        )
        made: dict[Cut, Rows] = {}
        for source in self.delivered:
            for cut in sorted({source.cut(p) for p in self.periods}):
                index = self.cuts.index(cut)
                insured = self._insured(block, rows, made, cut) if source.id == "sis" else 0
                made[source.id, cut] = self._rows(drawn, source.id, index, insured)
                sheet = Sheet(source, self.country, people, drawn.schools[index], made[source.id, cut], cut)
                writers[source.id, cut].write(block.department, sheet)
        for period in self.periods:
            self._count(period, drawn, made)
        self.tally.block_done()

    def _rows(self, drawn: _Drawn, id: str, index: int, insured: int) -> Rows:
        """One source's rows at one cut; `insured` is how many SIS has."""
        layout, people, moment = LAYOUTS[id], drawn.people, drawn.moments[index]
        random = self.country.random(people.block.key, id, self.cuts[index], "rows")
        care = Care(self.broken, min(self.broken, RAGGED_ROWS / (layout.share * float(self.country.population.sum()))))
        if layout.unit is Unit.INSTITUTION:
            return rosters.of_schools(drawn.schools[index], layout.habits, care, random)
        twice = None
        if id == "pgh":
            who = np.flatnonzero(moment.here & people.in_register[people.household])
        elif id == "sis":
            twice = min(int(random.binomial(insured, rosters.TWICE)), insured // 2)
            who = membership.insured(self.country, people, moment, insured - twice, self.cuts, index)
        else:
            who = membership.users(self.country, people, moment, id, self.cuts, index)
        cse = moment.poverty if id == "pgh" else rosters.claimed(people, layout.habits)
        return rosters.of_people(self.country, people, moment, who, cse, layout.habits, care, random, twice)

    def _insured(self, block: Block, rows: int | None, made: Mapping[Cut, Rows], cut: Period) -> int:
        """How many rows SIS has in a block: the usual share, or what the other rosters of the first period leave."""
        first = self.periods[0]
        if rows is None:
            number = round(block.people * membership.SIS_SHARE)
        else:
            others = [s for s in self.delivered if s.kind is Kind.ROSTER and s.id != "sis"]
            number = rows - sum(len(made[s.id, s.cut(first)]) for s in others)
        if number < 0:
            raise ValueError(f"block {block.key}: the other rosters already have more rows than asked for")
        if cut == self._source("sis").cut(first):
            return number
        return round(number * self.country.random(block.key, "sis", cut, "size").normal(1.0, 0.004))

    def _count(self, period: Period, drawn: _Drawn, made: Mapping[Cut, Rows]) -> None:
        """Put what was made into the truth of one period."""
        people, pgh = drawn.people, self._source("pgh")
        register = self.tally.register(period, pgh, people, made["pgh", pgh.cut(period)], LAYOUTS["pgh"].habits)
        for source in self.delivered:
            cut, layout = source.cut(period), LAYOUTS[source.id]
            rows = made[source.id, cut]
            if layout.unit is Unit.INSTITUTION:
                self.tally.schools(period, source, drawn.schools[self.cuts.index(cut)], rows, layout.habits)
            elif source.id != "pgh":
                self.tally.people(period, source, people, rows, layout.habits, register)

    def _source(self, id: str) -> Source:
        return next(s for s in self.sources if s.id == id)
