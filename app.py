"""Starts the page: `python app.py`. The entry point of a Space."""

import spaces  # noqa: F401 - first of all: on ZeroGPU it must be there before anything starts CUDA

from sgv_demo.settings import Settings
from sgv_demo.ui.serve import serve

if __name__ == "__main__":
    serve(Settings.from_env())
