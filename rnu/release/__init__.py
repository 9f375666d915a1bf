"""A release: safe tables turned into files under one digest, read back, verified and attacked."""
