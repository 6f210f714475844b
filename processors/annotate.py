"""Draws over each face what the daemon knows of it: to see what is found, and by which points faces are aligned."""

from typing import Annotated, ClassVar

from msgspec import Meta

from ..core.params import Params
from ..faces.overlay import draw
from .processor import Picture, Render, Workshop


class AnnotateParams(Params, frozen=True):
    """What can be set while it runs."""

    box: Annotated[bool, Meta(description="The box around each face.")] = True
    points: Annotated[bool, Meta(description="The five points that faces are aligned by.")] = True
    mesh: Annotated[bool, Meta(description="The 478 points of the mesh.")] = False
    text: Annotated[
        bool, Meta(description="Number, certainty, sex and age (where a model tells them), and pose.")
    ] = True


class Annotate:
    """The processor."""

    name: ClassVar[str] = "annotate"
    help: ClassVar[str] = "Draws what is known of each face over it: box, points, pose, sex and age."
    needs_faces: ClassVar[bool] = True
    hides_face: ClassVar[bool] = False
    every_face: ClassVar[bool] = False
    params_type = AnnotateParams

    def __init__(self, workshop: Workshop) -> None:
        del workshop

    def prepare(self, params: AnnotateParams) -> Render:
        """Ready at once; raises nothing."""

        def render(picture: Picture) -> Picture:
            for face in picture.faces:
                draw(
                    picture.pixels,
                    face,
                    box=params.box,
                    points=params.points,
                    mesh=params.mesh,
                    text=params.text,
                )
            return picture

        return render
