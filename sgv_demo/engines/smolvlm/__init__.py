"""SmolVLM2: a small general model for a CPU."""
