"""Video files: reading, similarity, keyframe selection, measuring, composing pictures."""
