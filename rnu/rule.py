"""A broken rule in the words of whoever mends it. The names of rules are frictionless' own."""

from __future__ import annotations

FALLBACK = "no cumple una regla del esquema"
WORDS = {
    ("constraint-error", "required"): "está vacía y es obligatoria",
    ("constraint-error", "pattern"): "no tiene la forma que pide el esquema",
    ("constraint-error", "enum"): "no es uno de los valores permitidos",
    ("constraint-error", "minimum"): "es menor que lo permitido",
    ("constraint-error", "maximum"): "es mayor que lo permitido",
    ("constraint-error", "exclusiveMinimum"): "es menor que lo permitido",
    ("constraint-error", "exclusiveMaximum"): "es mayor que lo permitido",
    ("constraint-error", "minLength"): "es demasiado corta",
    ("constraint-error", "maxLength"): "es demasiado larga",
    ("type-error", "date"): "no es una fecha",
    ("type-error", "datetime"): "no es una fecha con hora",
    ("type-error", "integer"): "no es un número entero",
    ("type-error", "number"): "no es un número",
    ("type-error", "boolean"): "no es sí o no",
    ("foreign-key", "ubigeo"): "no está en la lista de distritos",
}
WHATEVER_DETAIL = {
    "constraint-error": "no cumple una condición del esquema",
    "type-error": "no es del tipo que pide el esquema",
    "foreign-key": "no está en la lista a la que se refiere",
    "primary-key": "se repite en otra fila",
    "unique-error": "se repite en otra fila",
    "missing-cell": "falta la celda",
    "extra-cell": "tiene celdas de más",
    "blank-row": "está vacía",
    "missing-label": "falta en el encabezado",
    "duplicate-label": "está dos veces en el encabezado",
    "blank-label": "no tiene nombre en el encabezado",
    "extra-label": "no está en el esquema",
    "incorrect-label": "no es la columna que pide el esquema",
    "outside-coverage": "está fuera de los departamentos que el registro cubre",
    "after-cut": "es posterior al corte",
    "weight-out-of-bounds": "no es una cantidad posible",
}


def in_words(rule: str, detail: str) -> str:
    """What is wrong, said of a cell, a column or a row.

    >>> in_words("constraint-error", "required"), in_words("unique-error", "")
    ('está vacía y es obligatoria', 'se repite en otra fila')
    """
    return WORDS.get((rule, detail)) or WHATEVER_DETAIL.get(rule, FALLBACK)
