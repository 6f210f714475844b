"""Ring 2, what makes the daemon fit to be trusted: consent, disclosure, failing closed."""
