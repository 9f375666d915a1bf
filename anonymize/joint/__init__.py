"""Tables whose cells overlap: persons by how many programmes, by pairs of programmes, arrivals and departures.

Such tables are no cross of categories, so `anonymize.protect` does not fit them: one person counts in several cells,
and the cells hang together by more than sums along a tree. What holds them together is one *joint system* (`system`):
whole counts, none below zero, of persons of every kind that can be told apart (by the set of programmes that they are
in), and each cell a sum of some of them. `protect` withholds until every cell at risk keeps its values open and has
tables of whole counts to show for it; `attack`, built apart, tries what was published. `overlaps` and `flows` say what
the kinds and the cells are, and make published tables of the result; `secure` does all of it.
"""
