"""Portals: where approved releases become visible. One small protocol; a folder of static pages is the first."""
