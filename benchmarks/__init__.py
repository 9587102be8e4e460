"""Measurements quoted in the README, each against the published method in the same run."""
