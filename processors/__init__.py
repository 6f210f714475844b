"""Ring 3, what happens to a frame."""
