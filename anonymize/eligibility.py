"""Who meets a programme's rule, by what the household register says and nothing else.

A rule is a conjunction of conditions on the register's rows: the CSE that is valid on the cut date, the age in whole
years, a member of the household of some age. Where the unit is the household, a household meets a condition if one of
its members does. Users and those who are none are judged by the same facts, so that both halves of a rate fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import ibis
import ibis.expr.types as ir

from anonymize.situations import FAILS, MEETS, NOT_FOUND, UNCLASSIFIED


@dataclass(frozen=True, slots=True)
class Years:
    """Ages in whole years, both ends included; None: open."""

    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The conditions of one programme's rule. One that is not given asks for nothing."""

    programme: str
    household: bool = False  # the programme's unit is the household
    cse: tuple[str, ...] = ()  # any of these
    age: Years | None = None
    member: Years | None = None  # somebody of this age lives in the household


def valid_cse(register: ir.Table, cut: date) -> ir.StringValue:
    """The register's CSE where it is valid on the cut date, both ends included; else null."""
    day = ibis.literal(cut)
    valid = (register.cse_from <= day) & (register.cse_until.isnull() | (register.cse_until >= day))
    official: ir.StringValue = ibis.ifelse(valid, register.cse, ibis.null("string"))
    return official


def judged(register: ir.Table, rules: Sequence[Rule], cut: date) -> ir.Table:
    """The register's rows with `home`, and per programme whether it can be told (`told_…`), and meets (`meets_…`).

    A row without a household's code is a household of its own.
    """
    rows = register.mutate(
        valid_cse=valid_cse(register, cut), home=ibis.coalesce(register.household, register.pseudonym)
    )
    by_home = [rule for rule in rules if rule.household or rule.member]
    if by_home:
        facts = {name: value for rule in by_home for name, value in _of_homes(rows, rule).items()}
        homes = rows.group_by("home").aggregate(**facts).rename(of="home")
        rows = rows.left_join(homes, rows.home == homes.of).drop("of")
    told = {f"told_{r.programme}": _told(rows, r) for r in rules}
    return rows.mutate(**told, **{f"meets_{r.programme}": _meets(rows, r) for r in rules})


def situation(users: ir.Table, rules: Sequence[Rule]) -> ir.StringValue:
    """Where each user stands to the rule; null for programmes without one.

    `users` are rosters joined with what `judged` says of them, and whether they are `matched`.
    """
    told, meets = (
        ibis.cases(*((users.programme == r.programme, users[f"{what}_{r.programme}"]) for r in rules), else_=False)
        for what in ("told", "meets")
    )
    found: ir.StringValue = ibis.cases(
        (~users.programme.isin([r.programme for r in rules]), ibis.null("string")),
        (~users.matched, ibis.literal(NOT_FOUND)),
        (~told, ibis.literal(UNCLASSIFIED)),
        (meets, ibis.literal(MEETS)),
        else_=ibis.literal(FAILS),
    )
    return found


def eligible(rosters: ir.Table, register: ir.Table, rules: Sequence[Rule], cut: date) -> ir.Table:
    """One row per person or household of the register that meets a rule and is no user: programme, place, weight 1.

    Who has no document cannot be looked for among the users, and is left out; a household is looked for by all its
    members, and stands at the first of their places.
    """
    rows = judged(register.filter(register.pseudonym.notnull() | register.household.notnull()), rules, cut)
    first, *others = (_eligible(rosters, rows, rule) for rule in rules)
    return ibis.union(first, *others) if others else first


def _eligible(rosters: ir.Table, rows: ir.Table, rule: Rule) -> ir.Table:
    own = rosters.filter((rosters.programme == rule.programme) & rosters.pseudonym.notnull())
    users = own.select(user=own.pseudonym).distinct()
    meet = rows.filter(rows[f"meets_{rule.programme}"])
    meet = meet.left_join(users, meet.pseudonym == users.user)
    if rule.household:
        homes = meet.group_by("home").aggregate(
            place=meet.place.min(), used=meet.user.notnull().any(), named=meet.pseudonym.notnull().any()
        )
        left = homes.filter(homes.named & ~homes.used)
    else:
        left = meet.filter(meet.pseudonym.notnull() & meet.user.isnull())
    return left.select(
        programme=ibis.literal(rule.programme),
        place=left.place,
        weight=ibis.literal(1, "int64"),
        matched=ibis.literal(False),  # no user, so no row of a roster that was found
    )


def _of_homes(rows: ir.Table, rule: Rule) -> dict[str, ir.BooleanValue]:
    """What a household is judged by, over its members."""
    facts = {f"home_member_{rule.programme}": _aged(rows.age, rule.member)} if rule.member else {}
    if rule.household:
        facts[f"home_told_{rule.programme}"] = rows.valid_cse.notnull()
        facts |= {f"home_cse_{rule.programme}": _classed(rows, rule)} if rule.cse else {}
        facts |= {f"home_age_{rule.programme}": _aged(rows.age, rule.age)} if rule.age else {}
    return {name: fact.any() for name, fact in facts.items()}


def _told(rows: ir.Table, rule: Rule) -> ir.BooleanValue:
    told: ir.BooleanValue = rows[f"home_told_{rule.programme}"] if rule.household else rows.valid_cse.notnull()
    return told.fill_null(False)


def _meets(rows: ir.Table, rule: Rule) -> ir.BooleanValue:
    tests = [_told(rows, rule)]
    if rule.cse:
        tests.append(rows[f"home_cse_{rule.programme}"] if rule.household else _classed(rows, rule))
    if rule.age:
        tests.append(rows[f"home_age_{rule.programme}"] if rule.household else _aged(rows.age, rule.age))
    if rule.member:
        tests.append(rows[f"home_member_{rule.programme}"])
    meets: ir.BooleanValue = ibis.and_(*(test.fill_null(False) for test in tests))
    return meets


def _classed(rows: ir.Table, rule: Rule) -> ir.BooleanValue:
    classed: ir.BooleanValue = rows.valid_cse.isin(list(rule.cse)).fill_null(False)
    return classed


def _aged(age: ir.Value, years: Years) -> ir.BooleanValue:
    low = age >= years.low if years.low is not None else ibis.literal(True)
    high = age <= years.high if years.high is not None else ibis.literal(True)
    aged: ir.BooleanValue = (low & high).fill_null(False)
    return aged
