"""A release as a steward looks at it: what it holds, quality, protection, difference from the last."""

from __future__ import annotations

import json
from typing import Any

from rnu.ledger import Release
from rnu.release.difference import Difference
from rnu.store import Store

MOST_CHANGES = 15


def describe(store: Store, release: Release, before: Release | None, changes: Difference | None) -> dict[str, Any]:
    """Everything that `rnu show` tells, the steward's own report included: not for publication."""
    folder = store.release(release.digest)
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    private = json.loads((store.private(release.digest) / "report.json").read_text(encoding="utf-8"))
    return {
        "period": release.period,
        "revision": release.revision,
        "digest": release.digest,
        "built_at": release.at,
        "builder_key": release.build.public_key,
        "missing": list(release.facts["missing"]),
        "files": [{"name": p.relative_to(folder).as_posix(), "bytes": p.stat().st_size} for p in files],
        "quality": private["quality"],
        "protection": private["protection"],
        "before": {"period": before.period, "revision": before.revision, "digest": before.digest} if before else None,
        "changes": _changes(changes),
    }


def _changes(changes: Difference | None) -> list[dict[str, Any]]:
    if changes is None:
        return []
    return [
        {
            "cube": c.cube,
            "programme": c.programme,
            "place": c.place,
            "ubigeo": c.ubigeo,
            "before": c.before,
            "after": c.after,
        }
        for c in changes.changes
    ]


def lines(found: dict[str, Any]) -> list[str]:
    """The same for a person at a terminal."""
    out = [
        f"Release {found['period']} r{found['revision']}",
        f"  digest   {found['digest']}",
        f"  built    {found['built_at']} by key {found['builder_key'][:12]}…",
        f"  files    {len(found['files'])}, {sum(f['bytes'] for f in found['files']):,} bytes",
    ]
    if found["missing"]:
        out.append(f"  not delivered: {', '.join(found['missing'])}")
    out.append("Quality            rows    set aside   duplicates   no document      roster     matched")
    out += [
        f"  {q['source']:10} {q['rows']:>10,} {q['set_aside']:>12,} {q['duplicates']:>12,} {q['without_document']:>13,}"
        f" {q['roster_rows']:>11,} {q['matched']:>11,}"
        for q in found["quality"]
        if q["delivered"]
    ]
    out.append(
        "Protection (yours alone)   level          shown   at risk   for others   not broken down   value unshown"
    )
    for name, table in sorted(found["protection"].items()):
        out += [
            f"  {name:24} {level['level']:12} {level['shown']:>7,} {level['primary']:>9,} {level['secondary']:>12,}"
            f" {level['below']:>17,} {level['share_unshown']:>14.2%}"
            for level in table["levels"]
        ]
        out += [
            f"    dropped: {'×'.join(d['cross']) or 'totals'} at {d['level']} in {d['place']} ({d['reason']})"
            for d in table["drops"]
        ]
    if found["before"] is None:
        return [*out, "Nothing earlier is approved: no comparison."]
    out.append(f"Changes since {found['before']['period']} r{found['before']['revision']}, biggest first")
    out += [
        f"  {c['programme']:12} {c['place']:20} {_shown(c['before']):>12} -> {_shown(c['after']):>12}"
        for c in found["changes"][:MOST_CHANGES]
    ]
    if len(found["changes"]) > MOST_CHANGES:
        out.append(f"  … and {len(found['changes']) - MOST_CHANGES} more (--json lists all)")
    return out


def _shown(value: int | str | None) -> str:
    return f"{value:,}" if isinstance(value, int) else value or "-"
