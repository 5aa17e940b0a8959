"""Retrieval by generation: a passage's address is a few codes, and a network writes the codes of those that answer."""
