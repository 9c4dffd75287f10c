"""Steps of a data pipeline, as configs write them."""

from collections.abc import Mapping, Sequence


def resized(pipeline: Sequence[Mapping], scale: tuple[int, int]) -> list[dict]:
    """A copy of the pipeline in which every step that names a ``scale`` has this one.

    For a config of another input size than its base:
    ``train_pipeline = resized(_base_.train_pipeline, (640, 192))``.

    Args:
        scale: Width and height of the input, in pixels.
    """
    return [{**step, 'scale': scale} if 'scale' in step else {**step} for step in pipeline]
