"""From checked rows to a roster in which nobody's document stands.

The document's type and number, normalised, become HMAC-SHA-256 (RFC 2104) under a key that comes from outside, cut
to 128 bits: for 10⁸ documents the chance that any two meet is 10⁻²². An unkeyed hash would be a look-up table, since
a DNI has only 10⁸ values. The engine computes it: the key reaches it as a one-row table, because a literal or a bound
parameter would show in query text, logs and plans.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

BLOCK = 64  # bytes, of SHA-256
BYTES = 16  # kept of the digest
KEY_TABLE = "rnu_key"
MOST_WEIGHT = 1_000_000  # persons that one row may stand for: no institution comes near, and their sum stays exact


@dataclass(frozen=True, slots=True)
class Key:
    """A pseudonym key. Another key gives other pseudonyms: rosters made with different keys don't link."""

    secret: bytes = field(repr=False)

    @property
    def id(self) -> str:
        """A name for the key that tells nothing about it: 16 hex digits."""
        return hmac.new(self.secret, b"rnu key id", hashlib.sha256).hexdigest()[:16]

    def table(self) -> pa.Table:
        """The key as the one-row table `KEY_TABLE` that `pseudonym` reads: its inner and outer pads."""
        block = self.secret if len(self.secret) <= BLOCK else hashlib.sha256(self.secret).digest()
        block = block.ljust(BLOCK, b"\0")
        pads = [bytes(b ^ mask for b in block) for mask in (0x36, 0x5C)]
        return pa.table({"inner_pad": pa.array(pads[:1], pa.binary()), "outer_pad": pa.array(pads[1:], pa.binary())})


def pseudonym(document: str) -> str:
    """SQL for the pseudonym (16 bytes) of SQL text; null stays null. `KEY_TABLE` must be among the query's tables."""
    inner = f"unhex(sha256({KEY_TABLE}.inner_pad || encode({document})))"
    return f"unhex(left(sha256({KEY_TABLE}.outer_pad || {inner}), {2 * BYTES}))"


def document(kind: str, number: str) -> str:
    """SQL for a normalised document: its type, a colon, its number; null where there is no number.

    Upper case, no blanks; a DNI that lost its leading zeros gets them back.
    """
    bare = f"translate(upper({number}), ' .-', '')"
    lost_zeros = f"{kind} = 'dni' and length({bare}) < 8 and not regexp_matches({bare}, '[^0-9]')"
    padded = f"case when {lost_zeros} then lpad({bare}, 8, '0') else {bare} end"
    padded = f"case when {bare} <> '' then {padded} end"
    return f"({kind} || ':' || {padded})"


@dataclass(frozen=True, slots=True)
class Columns:
    """Where checked rows carry what a roster needs: each an SQL expression, empty where the source has none."""

    document: str
    place: str
    sex: str = ""
    birth_date: str = ""
    household: str = ""
    cse: str = ""
    cse_from: str = ""
    cse_until: str = ""
    weight: str = ""
    active: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)


def future(columns: Columns, cut: date) -> str:
    """SQL that is true for somebody born after the cut date: a row that cannot be."""
    return f"coalesce({columns.birth_date} > date '{cut}', false)" if columns.birth_date else "false"


def inactive(columns: Columns) -> str:
    """SQL that is true for a row which the source itself marks as no user of this cut."""
    return f"coalesce({columns.active} = 'no', false)" if columns.active else "false"


def weightless(columns: Columns) -> str:
    """SQL that is true for a row which does not say how many persons it stands for: none, less than 0, too many."""
    return f"coalesce({columns.weight} not between 0 and {MOST_WEIGHT}, true)" if columns.weight else "false"


def pseudonymise(rows: str, columns: Columns, programme: str, cut: date) -> str:
    """SQL for the roster's rows: pseudonym, place, sex, age, household, CSE, weight, the columns kept; nothing else.

    A household's code becomes a pseudonym as a document does, so that members are still known for one household.

    `rows` is SQL with member and number; they stand on as `row`, one ascending number, until duplicates are found.
    """
    age = _whole_years(columns.birth_date, cut) if columns.birth_date else "null"
    household = pseudonym(f"('household:' || {columns.household})") if columns.household else "null::blob"
    kept = "".join(f", {sql} as {_name(column)}" for column, sql in columns.kept.items())
    return (
        f"select {_text(programme)} as programme, (member::bigint << 40) + number as row, "
        f"{pseudonym(columns.document) if columns.document else 'null::blob'} as pseudonym, "
        f"{columns.place} as place, {columns.sex or 'null::varchar'} as sex, {age}::smallint as age, "
        f"{household} as household, {columns.cse or 'null::varchar'} as cse, "
        f"{columns.cse_from or 'null::date'} as cse_from, {columns.cse_until or 'null::date'} as cse_until, "
        f"{columns.weight or '1'}::bigint as weight{kept} "
        f"from ({rows}) delivered, {KEY_TABLE} where not {future(columns, cut)} and not {inactive(columns)} "
        f"and not {weightless(columns)}"
    )


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def _text(literal: str) -> str:
    return "'" + literal.replace("'", "''") + "'"


def _whole_years(birth: str, cut: date) -> str:
    """SQL for the age on a day: a year is whole on the birthday; for the 29th of February, on the 1st of March.

    Spelt out because engines' own functions let that birthday fall on the 28th.
    """
    birthday_to_come = f"(month({birth}) * 100 + day({birth}) > {cut.month * 100 + cut.day})"
    return f"({cut.year} - year({birth}) - {birthday_to_come}::int)"


def later_rows(roster: str) -> str:
    """SQL for the rows whose document an earlier row has already: row, and whether they disagree with that row.

    They disagree where place or CSE differ. Two aggregations over the few doubled documents, no window over all rows.
    """
    doubled = (
        f"select pseudonym, min(row) as first from ({roster}) where pseudonym is not null "
        "group by pseudonym having count(*) > 1"
    )
    return (
        f"with doubled as ({doubled}), affected as (select r.* from ({roster}) r join doubled d using (pseudonym)) "
        "select later.row, (later.place, later.cse) is distinct from (kept.place, kept.cse) as disagrees "
        "from doubled join affected kept on kept.pseudonym = doubled.pseudonym and kept.row = doubled.first "
        "join affected later on later.pseudonym = doubled.pseudonym and later.row > doubled.first"
    )
