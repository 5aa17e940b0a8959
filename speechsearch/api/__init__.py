"""The REST routes: search, compare, clips, collections, health."""

from speechsearch.api.app import create_app

__all__ = ["create_app"]
