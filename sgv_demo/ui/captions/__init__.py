"""The page's part: captions."""
