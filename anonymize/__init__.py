"""From rosters to safe cells: pseudonymise, aggregate, protect, attack.

Everything here takes values and gives values: no path, no clock, no settings object. Imports nothing of ours.
"""
