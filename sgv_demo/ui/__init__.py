"""The page: a renderer of the pipeline's events. Gradio is imported in here and nowhere below."""
