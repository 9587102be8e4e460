"""What is kept of a run, judged and compared."""
