"""The page's part: compare."""
