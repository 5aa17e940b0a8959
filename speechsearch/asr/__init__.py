"""Recognisers: the baseline writes speech down before it searches."""
