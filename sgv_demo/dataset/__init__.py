"""The published annotation files."""
