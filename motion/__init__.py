"""Motion between pictures: pure numpy and OpenCV, arrays in, arrays out."""
