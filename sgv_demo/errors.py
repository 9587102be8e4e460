"""Errors that a user sees: one sentence with the cause and the remedy, never a traceback."""


class SgvError(Exception):
    """Base of all errors whose message is written for the user."""


class VideoError(SgvError):
    """The file can't be used: not a video, damaged beyond use, or over a limit."""


class EngineError(SgvError):
    """A model can't be loaded, or a step of it failed."""


class OutOfMemoryError(EngineError):
    """A step needed more memory than the device has; what was finished before is kept."""


class SettingsError(SgvError):
    """An option or environment variable has a value that can't be used."""


class StoreError(SgvError):
    """A result can't be written to disk or read back."""


class DatasetError(SgvError):
    """A file of annotations can't be opened or holds none."""
