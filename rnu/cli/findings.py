"""A delivery's report as lines."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any


def findings(source: str, report: Mapping[str, Any]) -> list[str]:
    """What an owner must mend: a line for the delivery and one for each rule. Never a value."""
    if "rejected" in report:
        return [f"{source}: returned. {report['rejected']} [{report['where']}]"]
    check = report["check"]
    share = check["set_aside"] / check["rows"] if check["rows"] else 1.0
    accepted = not check["header"] and check["rows"] > 0 and share <= check["tolerance"]
    out = [
        f"{source}: {'accepted' if accepted else 'returned'}. {check['rows']:,} rows, "
        f"{check['set_aside']:,} set aside ({share:.2%}, tolerance {check['tolerance']:.2%})"
    ]
    for broken in (*check["header"], *check["broken"]):
        by_member = groupby(broken["first"][:5], key=itemgetter(0))
        at = "; ".join(_rows(member, [row for _, row in found]) for member, found in by_member)
        rule = f"{broken['field'] or '(row)'}: {broken['rule']} {broken['detail']}".rstrip()
        out.append(f"  {broken['rows']:>8,}  {rule}  {at}".rstrip())
    return out


def _rows(member: str, rows: list[int]) -> str:
    """Where to look in a file; its header is row 0."""
    return member if rows == [0] else f"{member} rows {', '.join(map(str, rows))}"
