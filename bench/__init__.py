"""Measurements of the line, each beside a bare reference on the same files in the same run."""
