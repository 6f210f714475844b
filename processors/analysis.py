"""What finds and knows faces in a run, as its settings say: one place that makes trackers and recognisers."""

from threading import Lock

from ..core.settings import AnalysisSettings
from ..faces.detection import Detector
from ..inference.detectors import BlazePair, ShelfDetector
from ..inference.engine import Models
from ..inference.insight_analysis import InsightAnalysis
from ..inference.providers import PROVIDERS, Plan
from ..inference.swapper import Embedder
from .refine_faces import FaceRefiner
from .track_faces import FaceTracker


class Analysis:
    """Any thread."""

    def __init__(
        self, models: Models, settings: AnalysisSettings | None = None, plan: Plan | None = None
    ) -> None:
        """`plan`: of the engines, for what does not run in them (insightface); None is the processor."""
        self.settings = settings or AnalysisSettings()
        self._models = models
        self._plan = plan
        self._lock = Lock()
        self._insight: InsightAnalysis | None = None

    def tracker(self, hold_s: float = 0.4) -> FaceTracker:
        """A new tracker, which knows no face yet; its models are shared. See `FaceTracker`.

        Blocks. Raises ModelError with the command that brings what is missing, UsageError for a model that cannot do
        what it is named for, ConfigError where insightface is asked for and not installed.
        """
        settings = self.settings
        refiner = FaceRefiner(self._models, settings) if settings.landmarks or settings.attributes else None
        return FaceTracker(self._models, hold_s, detector=self.detector(), refiner=refiner)

    def detector(self) -> Detector:
        """Raises as `tracker`."""
        if self.settings.detector:
            return ShelfDetector(self._models, self.settings.detector, self.settings.detector_side)
        return self._insightface() or BlazePair(self._models)

    def recogniser(self) -> Embedder | None:
        """What tells who a face is in the place of ArcFace from the shelf; None: nothing does. Raises as `tracker`."""
        return self._insightface()

    def serving(self) -> dict[str, str]:
        """{model: what serves it} of what does not run in the engines."""
        with self._lock:
            return {self._insight.pack: self._insight.engine} if self._insight else {}

    def _insightface(self) -> InsightAnalysis | None:
        settings = self.settings
        if settings.backend != "insightface":
            return None
        with self._lock:
            if self._insight is None:
                provider = self._plan.provider if self._plan else PROVIDERS["cpu"]
                threads = self._plan.intra_op if self._plan else 0
                self._insight = InsightAnalysis(settings.pack, settings.detector_side, provider, threads)
            return self._insight
