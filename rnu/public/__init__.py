"""A protected table of counts as anybody holds it: its trees of codes, its cells and its certificate.

`axes` are its dimensions, `table` is what is read of files, `certificate` the file that proves it, `attack` what an
outsider works out. Shared by releases and by tables of one's own; nothing here knows of programmes or an institution.
"""
