"""Solr for CKAN: CKAN's own schema, made to know Spanish."""
