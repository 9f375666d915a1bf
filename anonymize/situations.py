"""Where a user can stand to a programme's rule: words alone, which need no engine."""

MEETS = "cumple"
FAILS = "no_cumple"
UNCLASSIFIED = "sin_cse"  # found in the register, which has no valid CSE: nobody can tell
NOT_FOUND = "no_encontrado"
SITUATIONS = (MEETS, FAILS, UNCLASSIFIED, NOT_FOUND)
