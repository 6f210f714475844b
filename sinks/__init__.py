"""Ring 2, where frames go."""
