"""Ring 0, the vocabulary of the house: no I/O, no threads of its own."""
