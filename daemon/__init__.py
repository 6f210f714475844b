"""Ring 4, the only place that wires the house together."""
