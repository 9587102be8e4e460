"""The page's part: engines."""
