"""Recipes that make the shipped model; nothing imports this room."""
