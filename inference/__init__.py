"""Ring 2, tensors in, tensors out."""
