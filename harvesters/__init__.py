"""Bring a roster's bytes home, and read any delivered format into text columns.

Imports nothing of ours: what is fetched and how it is laid out are arguments.
"""
