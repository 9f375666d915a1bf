"""Numbers, dates and sizes as Peruvian readers write them (INEI: thin spaces between thousands, decimal comma)."""

from __future__ import annotations

from datetime import date

from rnu.errors import SettingsError
from rnu.release.reports import MONTHS
from rnu.settings import Period

THIN = "\u202f"


def number(value: int) -> str:
    """A count, thousands apart.

    >>> number(19360584).split(THIN), number(0)
    (['19', '360', '584'], '0')
    """
    return f"{value:,}".replace(",", THIN)


def figure(value: object) -> str:
    """A number of a report, or the text that stands in its place."""
    if isinstance(value, float):
        return f"{value:,.1f}".replace(",", THIN).replace(".", ",")
    if isinstance(value, int):
        return number(value)
    words = str(value).split() if value is not None else ["—"]
    return " ".join(number(int(word)) if word.isdigit() else word for word in words)


def month(period: Period) -> str:
    """A period in words.

    >>> month(Period(2026, 1))
    'enero de 2026'
    """
    return f"{MONTHS[period.month - 1]} de {period.year}"


def month_of(text: str) -> str:
    """A period as it is written, in words; what is no period, as it stands.

    >>> month_of("2026-01"), month_of("2026")
    ('enero de 2026', '2026')
    """
    try:
        return month(Period.parse(text))
    except SettingsError:
        return text


def day(on: date) -> str:
    """A date in words.

    >>> day(date(2026, 2, 1))
    '1 de febrero de 2026'
    """
    return f"{on.day} de {MONTHS[on.month - 1]} de {on.year}"


def size(count: int) -> str:
    """A file's size.

    >>> [size(n).replace(THIN, " ") for n in (512, 20_480, 5_400_000)]
    ['512 B', '20 kB', '5,4 MB']
    """
    if count < 1_000:
        return f"{count}{THIN}B"
    if count < 1_000_000:
        return f"{round(count / 1_000)}{THIN}kB"
    return f"{count / 1_000_000:.1f}".replace(".", ",") + f"{THIN}MB"


# What a rate says of every hundred, be they persons or households.
SENTENCES = {
    "filtracion": "De cada 100 usuarios que están en el padrón de hogares con clasificación vigente, {} no cumplen "
    "la regla",
    "subcobertura": "De cada 100 que según el padrón de hogares cumplen la regla, {} no son usuarios",
    "encontrados": "De cada 100 usuarios, {} están en el padrón de hogares",
    "sin_cse": "De cada 100 usuarios que están en el padrón de hogares, {} no tienen clasificación vigente",
}


def sentence(rate: str, percentage: float) -> str:
    """A rate in a sentence.

    >>> sentence("subcobertura", 35.5)
    'De cada 100 que según el padrón de hogares cumplen la regla, 35,5 no son usuarios.'
    """
    return SENTENCES[rate].format(figure(percentage)) + "."
