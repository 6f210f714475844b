"""`python -m faceswapd`."""

from faceswapd import main

raise SystemExit(main())
