"""The page's part: inspect."""
