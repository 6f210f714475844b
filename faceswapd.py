"""faceswapd: a webcam in, a processed virtual camera out. Launcher and package root in one file.

From a bare clone `python faceswapd.py ...` and `import faceswapd.core` resolve to the folders beside
this file; in the wheel this file is the package's `__init__.py`.
"""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import NoReturn, cast

# Nothing phones home. ONNX Runtime >= 1.29 calls its maker seconds after a mere import, unless this is set
# before; OpenVINO posts at import when its telemetry package is present, and works without it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
sys.modules["openvino_telemetry"] = cast(ModuleType, None)

__path__ = [str(Path(__file__).resolve().parent)]
__version__ = "0.1.0"


def main(argv: list[str] | None = None) -> NoReturn:
    """Runs the command line and ends the process with its exit code (see `core.errors` for the table)."""
    try:
        from faceswapd.daemon.launch import launch  # late: `import faceswapd` alone must stay light
    except KeyboardInterrupt:  # from here on `launch` sees to it
        raise SystemExit(130) from None
    launch(argv)


if __name__ == "__main__":
    main()
