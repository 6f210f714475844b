"""insightface's own FaceAnalysis, its detector and its recogniser, in the place of ours."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ..core.errors import ConfigError, InferenceError, ModelError
from ..core.frame import Pixels, Points
from ..faces.detection import MIN_SCORE, Detection
from . import packs
from .detectors import SIDE
from .engine import Tensor
from .providers import PROVIDERS, Provider

_NEAR = 0.5
"""insightface's five points are those of a face that ours lie on, if they are nearer than this, in eye distances."""


class InsightAnalysis:
    """One pack, loaded. Any thread.

    Of a pack's models only the detector and the recogniser are loaded: `FaceAnalysis.get` would run all five.
    """

    def __init__(
        self,
        pack: str = "buffalo_l",
        side: int = 0,
        provider: Provider = PROVIDERS["cpu"],
        threads: int = 0,
        home: Path | None = None,
    ) -> None:
        """Blocks. `side`: of the square that the detector is shown, 0 takes `SIDE`: never insightface's `auto`, which
        looks twice. `threads` inside one run, 0 leaves it to ONNX Runtime; `home` takes the place of insightface's own
        folder.

        Raises ConfigError without insightface or where the provider is not ONNX Runtime's or does not start,
        UsageError and ModelError for a pack that is unknown, not here or without a detector or recogniser.
        """
        if provider.engine != "onnxruntime":
            raise ConfigError(
                f"insightface runs in ONNX Runtime, not on {provider.name}",
                "ask for --execution-provider cpu",
            )
        app = packs.module("app")
        place = packs.found(pack, home)
        self._bound: AbstractContextManager[Any] = Lock() if provider.bound else nullcontext()
        self.pack, self.side = place.name, side or SIDE
        options = _session_options(threads)
        try:
            self._app: Any = app.FaceAnalysis(
                name=str(place),
                allowed_modules=["detection", "recognition"],
                providers=[provider.full],
                provider_options=[provider.told()],
                sess_options=options,
            )
            self._app.prepare(ctx_id=0, det_thresh=MIN_SCORE, det_size=(self.side, self.side))
        except AssertionError as error:
            raise ModelError(f"pack {place.name} has no detector", "choose another pack") from error
        except Exception as error:  # neither insightface nor ONNX Runtime has a base for its errors
            raise ModelError(f"pack {place.name} does not load ({_line(error)})", "pull it again") from error
        if "recognition" not in self._app.models:
            raise ModelError(f"pack {place.name} has no recogniser", "choose another pack")
        got = self._app.det_model.session.get_providers()[0]
        if got != provider.full:
            raise ConfigError(
                f"execution provider {provider.name} did not start for insightface, ONNX Runtime offers {got}",
                "check the driver and its libraries, or ask for --execution-provider cpu",
            )
        # insightface makes a second session for the size that it is shown, in its first look.
        self.detect(np.zeros((self.side, self.side, 3), np.uint8), thorough=True)
        self.engine = f"insightface {got.removesuffix('ExecutionProvider')}"

    def detect(self, pixels: Pixels, thorough: bool) -> list[Detection]:  # noqa: ARG002
        """See `faces.detection.Detector`: every look is thorough."""
        try:
            with self._bound:
                boxes, five = self._app.det_model.detect(pixels, max_num=0, metric="default")
        except Exception as error:
            raise InferenceError(f"insightface's detector failed ({_line(error)})") from error
        if five is None:
            raise InferenceError(f"the detector of pack {self.pack} gives no points", "choose another pack")
        return [
            Detection(np.asarray(b[:4], np.float32), np.asarray(p, np.float32), float(b[4]))
            for b, p in zip(boxes, five, strict=True)
        ]

    def of(self, photo: Pixels, five: Points) -> Tensor:
        """512 numbers, not normalised, of the face on which `five` points lie: as FaceAnalysis itself gives them.

        It is aligned by insightface's own points, by ours where its detector does not see it. Raises InferenceError.
        """
        seen = [d.keypoints for d in self.detect(photo, thorough=True)]
        away = [float(np.hypot(*(p - five).T).mean()) for p in seen]
        if away and min(away) < _NEAR * float(np.hypot(*(five[1] - five[0]))):
            five = seen[int(np.argmin(away))]
        try:
            face = packs.module("app.common").Face(kps=np.asarray(five, np.float32))
            with self._bound:
                embedding = self._app.models["recognition"].get(photo, face)
        except Exception as error:
            raise InferenceError(f"insightface's recogniser failed ({_line(error)})") from error
        if not np.isfinite(embedding).all():
            raise InferenceError(
                "insightface's recogniser gave no numbers", "ask for --execution-provider cpu"
            )
        return np.asarray(embedding, np.float32)


def _session_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
