"""Protection for anybody's table of counts: read it, protect it, write it with its certificate, check and attack it.

`spec` says what the table is, `table` reads it, `folder` holds what is written and reads it back, `work` does the rest.
Nothing here knows of programmes, rosters or an institution.
"""
