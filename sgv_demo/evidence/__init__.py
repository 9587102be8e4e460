"""What is measured between two keyframes."""
