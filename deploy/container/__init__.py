"""The same portal in containers: what each of them does before its program starts."""
