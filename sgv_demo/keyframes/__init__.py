"""Which frames of a video are kept."""
