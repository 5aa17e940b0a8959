"""Answers from recordings: what a reader found becomes sentences that cite, or an honest refusal. Pure functions."""
