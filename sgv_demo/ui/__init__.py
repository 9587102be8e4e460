"""The page: layout, handlers that turn events into updates, and pure rendering."""
