"""Starts the page: `python app.py`. The entry point of a Space."""

from sgv_demo.settings import Settings
from sgv_demo.ui.serve import serve

if __name__ == "__main__":
    serve(Settings.from_env())
