"""Station 8: a pool of videos."""
