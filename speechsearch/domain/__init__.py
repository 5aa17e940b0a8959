"""Frozen values that cross rooms, errors, limits, who may see what; imports nothing of ours."""
