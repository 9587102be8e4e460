"""The page's part: a result to be shown."""
