"""The offline engine: writes from measurements."""
