"""τ-ARGUS on a table of ours: written as its files, protected by its engine in a process of its own, read back.

The engine comes as the package `pytauargus` (EUPL-1.2, without the original's CPLEX: HiGHS solves). MOD is its modular
approach (HiTaS) for hierarchical tables. The primaries and their protection levels are given by us, so that both
programs are asked for the same; nothing else of ours is in it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from anonymize.tables import Cells, Mark, SafeCells

MINUTES = 15  # after which a run counts as not ended
TOTAL = "T"
WITHHELD = ("U", "M")  # its letters for primary and secondary
RUN = "import sys; from pytauargus.engine import run_batch; run_batch(sys.argv[1])"


class TauArgusFailed(Exception):
    """The engine did not end, or not well."""


def missing() -> str:
    """Why τ-ARGUS cannot be run here; empty if it can."""
    if importlib.util.find_spec("pytauargus") is None:
        return "pytauargus is not installed"
    done = subprocess.run([sys.executable, "-c", "import pytauargus"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"pytauargus does not load: {done.stderr.strip().splitlines()[-1]}"


def mod(cells: Cells, threshold: int, margin: int | None) -> SafeCells:
    """Protect all crosses at all levels by MOD.

    A `margin` is what a cell at risk must be open by, in per cent of its value, as offices set it; None asks that each
    can be 1 and can be the threshold. Raises TauArgusFailed.
    """
    values = cells.with_margins()
    risk = (values > 0) & (values < threshold)
    if margin is None:
        lower, upper = np.where(risk, values - 1, 0), np.where(risk, threshold - values, 0)
    else:
        lower = upper = np.where(risk, values * margin / 100, 0)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        _write(folder, cells, values, risk, lower, upper)
        command = [sys.executable, "-c", RUN, str(folder / "batch.arb")]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60 * MINUTES, check=False, cwd=folder
            )
        except subprocess.TimeoutExpired as error:
            raise TauArgusFailed(f"did not end within {MINUTES} minutes") from error
        if done.returncode or not (folder / "out.tab").exists():
            told = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
            raise TauArgusFailed(told[0])
        withheld = _read(folder / "out.tab", cells)
    marks = np.where(withheld, Mark.WITHHELD, Mark.SHOWN).astype(np.uint8)
    return SafeCells(cells.places, cells.dimensions, np.where(withheld, -1, values), marks, threshold)


def _codes(cells: Cells) -> list[list[str]]:
    """Codes along every axis of a table with margins; a column's codes differ from all others'."""
    places = [
        TOTAL if parent < 0 else code for code, parent in zip(cells.places.codes, cells.places.parent, strict=True)
    ]
    return [places, *([f"{d.id[0]}{i}" for i in range(len(d.categories))] + [TOTAL] for d in cells.dimensions)]


def _write(folder: Path, cells: Cells, values: np.ndarray, risk: np.ndarray, lower: np.ndarray, upper: np.ndarray):
    codes, names = _codes(cells), ["lugar", *(d.id for d in cells.dimensions)]
    (folder / "lugar.hrc").write_text("\n".join(_tree(cells)) + "\n", encoding="utf-8")
    with (folder / "table.tab").open("w", encoding="utf-8") as out:
        for at in np.ndindex(values.shape):
            cell = ";".join(of[i] for of, i in zip(codes, at, strict=True))
            status = "U" if risk[at] else "S"
            out.write(f"{cell};{values[at]};{values[at]};{status};{lower[at]:g};{upper[at]:g}\n")
    tree = f'  <HIERARCHICAL>\n  <HIERCODELIST> "{folder}/lugar.hrc"\n  <HIERLEADSTRING> "@"\n'
    columns = [f'{n}\n  <RECODEABLE>\n  <TOTCODE> "{TOTAL}"\n{tree if n == "lugar" else ""}' for n in names]
    counts = "n\n  <NUMERIC>\n  <DECIMALS> 0\npersonas\n  <FREQUENCY>\nestado\n  <STATUS>\n"
    levels = "abajo\n  <NUMERIC> <LOWERPL>\n  <DECIMALS> 2\narriba\n  <NUMERIC> <UPPERPL>\n  <DECIMALS> 2\n"
    head = '<SEPARATOR> ";"\n<SAFE> "S"\n<UNSAFE> "U"\n'
    (folder / "table.rda").write_text(head + "".join(columns) + counts + levels, encoding="utf-8")
    crossed = "".join(f'"{name}"' for name in names)
    (folder / "batch.arb").write_text(
        f'<OPENTABLEDATA> "{folder}/table.tab"\n<OPENMETADATA> "{folder}/table.rda"\n'
        f'<SPECIFYTABLE> {crossed}|"n"||\n<SAFETYRULE>\n<READTABLE>\n<SUPPRESS> MOD(1)\n'
        f'<WRITETABLE> (1,5,SO+,"{folder}/out.tab")\n',
        encoding="utf-8",
    )


def _tree(cells: Cells) -> list[str]:
    """The tree of places below the root, depth first, as many @ as levels below the first."""
    places = cells.places

    def below(place: int) -> list[str]:
        found = []
        for child in np.flatnonzero(places.parent == place).tolist():
            found += ["@" * (int(places.level[child]) - 1) + places.codes[child], *below(child)]
        return found

    return below(0)


def _read(path: Path, cells: Cells) -> np.ndarray:
    """Which cells it withheld."""
    index = [{code: i for i, code in enumerate(codes)} for codes in _codes(cells)]
    withheld = np.zeros([len(codes) for codes in index], dtype=np.bool_)
    for line in path.read_text(encoding="utf-8").splitlines():
        fields = line.split(";")
        at = tuple(of[code.strip('" ')] for of, code in zip(index, fields, strict=False))
        withheld[at] = fields[-3] in WITHHELD
    return withheld
