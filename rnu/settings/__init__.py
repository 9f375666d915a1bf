"""The institution's configuration, read once into frozen types.

`load(home)` reads `config/*.toml` of an institution's folder. An unknown or wrong key is refused with file, key and a
suggestion; nothing is guessed. Secrets never stand here: see `rnu.secrets`.
"""

from rnu.settings.checks import IDENTIFIER
from rnu.settings.load import load
from rnu.settings.types import (
    EVERY_PROGRAMME,
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
    Settings,
    Source,
    Steward,
    Unit,
)

__all__ = [
    "EVERY_PROGRAMME",
    "IDENTIFIER",
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
    "Settings",
    "Source",
    "Steward",
    "Unit",
    "load",
]
