"""The page: one file a tab, and pure functions that turn answers into safe HTML."""

from speechsearch.ui.background import BackgroundRun
from speechsearch.ui.events import events
from speechsearch.ui.page import build_page, mount

__all__ = ["BackgroundRun", "build_page", "events", "mount"]
