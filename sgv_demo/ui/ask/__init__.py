"""The page's part: ask."""
