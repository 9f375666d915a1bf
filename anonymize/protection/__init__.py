"""What protection is made of: the table laid flat, its design, what is possible beside it, and the proofs.

`lattice` lays a table and all its margins flat, `design` says which crosses are shown. `moves` are the exchanges that
make room, `partners` longer ways round; `screen` clears what is safe for all places at once, `walk` and `crossing`
exchange persons, `blocks` finds whole tables by linear programming; `proofs` keeps what is proven, and `branches` lets
several cores at it. `anonymize.protect` puts them to work.
"""
