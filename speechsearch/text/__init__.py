"""Words: how they are said, what they are stemmed to, and how they are counted."""
