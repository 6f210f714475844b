"""Ring 2, where frames come from."""
