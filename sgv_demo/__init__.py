"""sgv-demo: ShareGPT4Video's captioner and question answerer as an interactive demo."""

__version__ = "0.1.0"
