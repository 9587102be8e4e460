"""Decoding, only ever inside the reading process: this folder is the security boundary."""
