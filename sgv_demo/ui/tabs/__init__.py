"""The four tabs: each builds its components and returns them by name."""
