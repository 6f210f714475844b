"""Ring 1, the geometry of faces: pure numpy and OpenCV, arrays in, arrays out."""
