"""The page's part: video."""
