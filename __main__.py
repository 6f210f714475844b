"""`python -m faceswapd`."""

from faceswapd import main

main()
