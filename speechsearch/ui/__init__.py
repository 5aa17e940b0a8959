"""The page: one file a tab, and pure functions that turn answers into safe HTML."""
