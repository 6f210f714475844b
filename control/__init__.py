"""Ring 3, the control channel; it knows only `core`."""
