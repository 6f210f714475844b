"""Ring 1, what we use of the system's own libraries and interfaces, bound by ctypes: layouts, numbers, calls."""
