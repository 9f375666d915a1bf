"""The steward's desk: what waits, what a release holds, and a steward's word on it. Leave it off a public replica."""
