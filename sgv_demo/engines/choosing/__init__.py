"""Which engine runs here."""
