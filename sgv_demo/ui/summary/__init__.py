"""The page's part: summary."""
