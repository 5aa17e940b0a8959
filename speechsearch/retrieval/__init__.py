"""Retrievers rank passages for a query."""
