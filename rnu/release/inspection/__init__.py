"""Side channels of finished files: what tells more than the cells do, one room per kind.

`rows`: order and missing rows. `parquet`: dictionaries, row groups, nulls. `workbook`: the ZIP around a workbook, its
strings and styles. `texts`: what looks like a hash or a document number. `package`: files that nobody speaks of.
"""
