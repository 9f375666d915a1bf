"""The institution's configuration, read once into frozen types.

`load(home)` reads `config/*.toml` of an institution's folder. An unknown or wrong key is refused with file, key and a
suggestion; nothing is guessed. Secrets never stand here: see `rnu.secrets`.
"""

from rnu.settings.checks import IDENTIFIER
from rnu.settings.load import load
from rnu.settings.types import (
    EVERY_PROGRAMME,
    Ages,
    Category,
    Codes,
    Cube,
    CubeDimension,
    CubeLevel,
    Fetch,
    Fields,
    FlowTables,
    Format,
    Institution,
    Kind,
    LinkedCube,
    LinkedTable,
    Name,
    OverlapTables,
    Period,
    Portal,
    Programme,
    Rates,
    Rule,
    Settings,
    Shown,
    Source,
    Steward,
    Unit,
)

__all__ = [
    "EVERY_PROGRAMME",
    "IDENTIFIER",
    "Ages",
    "Category",
    "Codes",
    "Cube",
    "CubeDimension",
    "CubeLevel",
    "Fetch",
    "Fields",
    "FlowTables",
    "Format",
    "Institution",
    "Kind",
    "LinkedCube",
    "LinkedTable",
    "Name",
    "OverlapTables",
    "Period",
    "Portal",
    "Programme",
    "Rates",
    "Rule",
    "Settings",
    "Shown",
    "Source",
    "Steward",
    "Unit",
    "load",
]
