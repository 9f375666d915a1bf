"""InfoMIDIS' public coverage file of the made-up country: district figures with that file's own quirks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rnu.settings import Period, Source
from rnu.synthetic.country import Country
from rnu.synthetic.truth import Tally

ID = "infomidis"
LINE_END = "\r\n"
NOTHING = ""  # a district without the programme is blank, never 0

# The header as it stands in the file, and the programme whose users stand in the column, if one is made up.
HEADER = (
    ("CUNAMAS - Cuidado Diurno", ""),
    ("CUNAMAS - Acompañamiento de Familias", "cunamas"),
    ("JUNTOS - Hogares afiliados", "juntos"),
    ("JUNTOS - Hogares abonados", ""),
    ("FONCODES - N° usuarios estimados", ""),
    ("FONCODES - N° proy. Culminados", ""),
    ("FONCODES - N° proy. en ejecucion", ""),
    ("FONCODES - N° Hog. Haku Winay -proyectos en ejecucion", "foncodes"),
    ("FONCODES - N° Hog. Haku Winay -proyectos culminados", ""),
    ("PENSION 65 - Usuarios", "pension65"),
    ("QALI WARMA - N° de Niños y niñas atendidos", "qaliwarma"),
    ("QALI WARMA - N° de IIEE", ""),
    ("CONTIGO - Usuarios", "contigo"),
    ("PAIS - N° de Tambos prestando servicios", ""),
    ("PAIS - N° de Atenciones realizadas a través de los Tambos", ""),
    ("PAIS - N° de Beneficiarios atendidos a través de los Tambos", ""),
)


def write(out: Path, source: Source, period: Period, country: Country, tally: Tally) -> None:
    """Write the period's file: one line per district."""
    path = out / source.fetch.where.format(cut=source.cut(period), cut_compact=str(source.cut(period)).replace("-", ""))
    path.parent.mkdir(parents=True, exist_ok=True)
    totals = {id: _by_district(tally.counts(period, id)) for _, id in HEADER if id}
    day = period.last_day().strftime("%Y%m%d")
    lines = [["FECHA_CORTE", "UBIGEO", *(label for label, _ in HEADER)]]
    lines += [[day, d.code, *_figures(totals, i)] for i, d in enumerate(country.districts)]
    text = "".join(source.format.delimiter.join(line) + LINE_END for line in lines)
    path.write_bytes(text.encode(source.format.encoding))


def _by_district(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(counts.reshape(len(counts), -1).sum(axis=1))


def _figures(totals: dict[str, NDArray[np.int64]], district: int) -> Sequence[str]:
    return [_written(int(totals[id][district])) if id else NOTHING for _, id in HEADER]


def _written(number: int) -> str:
    """Thousands with a comma, and then in quotes; nothing for none."""
    if not number:
        return NOTHING
    return f'"{number:,}"' if number >= 1_000 else str(number)
