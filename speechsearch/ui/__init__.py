"""The page: one file a tab, and pure functions that turn answers into safe HTML."""

from speechsearch.ui.page import build_page, mount

__all__ = ["build_page", "mount"]
