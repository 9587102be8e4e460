"""Choosing from a pool: by meaning, by what was measured, by pictures."""
