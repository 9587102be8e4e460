"""The page's part: dataset."""
