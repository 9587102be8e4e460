"""The forms in which captions are handed over to whoever trains with them; see `table` for the list."""
