"""The open-data line of the register of users of social programmes: from rosters to signed, published releases."""

__version__ = "0.1.0"
