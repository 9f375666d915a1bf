"""CKAN's side of the register of users of social programmes. Glue only: the line is the package `rnu`."""
