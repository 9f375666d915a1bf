"""What protection costs, and what another threshold or another design would: tried on a period's rosters, kept nowhere.

`trial` reads what is to be tried and changes the configuration in memory, `measure` protects today's tables and the
tried ones from the same counts, `chart` draws the comparison; `history` draws what releases themselves say of it.
"""
