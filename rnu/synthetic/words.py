"""The words that made-up people, places and committees are named with."""

from __future__ import annotations

SURNAMES = (
    "QUISPE", "MAMANI", "FLORES", "ROJAS", "HUAMÁN", "CONDORI", "SÁNCHEZ", "GARCÍA", "RODRÍGUEZ", "CHÁVEZ",
    "RAMOS", "GONZALES", "VÁSQUEZ", "CASTILLO", "MENDOZA", "ESPINOZA", "TORRES", "DÍAZ", "LÓPEZ", "RAMÍREZ",
    "CCORI", "APAZA", "CHOQUE", "TICONA", "COPA", "YUPANQUI", "ÑAUPARI", "MUÑOZ", "PEÑA", "CÁCERES",
    "SALAZAR", "CRUZ", "VILCA", "POMA", "LAURA", "ARIAS", "SOTO", "VEGA", "AGUILAR", "PAREDES",
    "DE LA CRUZ", "SAAVEDRA", "CÓRDOVA", "RÍOS", "SHUÑA", "TAPULLIMA", "WAJAJAY", "ANTÚNEZ", "OLIVARES", "ZEVALLOS",
)  # fmt: skip
MEN = (
    "JUAN CARLOS", "JOSÉ LUIS", "LUIS ALBERTO", "CARLOS", "MIGUEL ÁNGEL", "JORGE", "VÍCTOR RAÚL", "JESÚS", "PEDRO",
    "SANTOS", "WILMER", "EDWIN", "ÓSCAR", "JULIO CÉSAR", "DAVID", "ALEX", "PERCY", "RUBÉN", "FÉLIX", "MATEO",
    "THIAGO", "LIAM", "DYLAN", "GAEL", "JUAN", "TEÓFILO", "SEGUNDO", "HUGO", "ELMER", "ÍTALO",
)  # fmt: skip
WOMEN = (
    "MARÍA", "ROSA", "ANA MARÍA", "JULIA", "CARMEN", "LUZ MARINA", "FLOR DE MARÍA", "ELIZABETH", "MARÍA ELENA",
    "JUANA", "YOLANDA", "NELLY", "SONIA", "GLORIA", "MARTHA", "VILMA", "MILAGROS", "SILVIA", "NORMA", "LUCÍA",
    "CAMILA", "KIARA", "ZOE", "DANNA", "VALENTINA", "FELÍCITAS", "ÑUSTA", "ROSA ELVIRA", "DELIA", "IRMA",
)  # fmt: skip
COMMITTEES = (
    "VIRGEN DEL CARMEN", "SEÑOR DE LOS MILAGROS", "SANTA ROSA", "SAN MARTÍN DE PORRES", "LOS JAZMINES", "NIÑO JESÚS",
    "MICAELA BASTIDAS", "TÚPAC AMARU", "28 DE JULIO", "NUEVO AMANECER", "MARÍA PARADO DE BELLIDO", "LAS FLORES",
    "SAN JUAN BAUTISTA", "JOSÉ OLAYA", "LA ESPERANZA", "CÉSAR VALLEJO",
)  # fmt: skip
DISABILITIES = ("Física", "Intelectual", "Mental", "Sensorial", "Múltiple")
NOTES = ("", "", "", "", "", "Empadronado en campaña", "Cambió de comedor", "Pendiente de actualización de datos")
