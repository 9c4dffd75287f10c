"""Detections of letterboxed images."""

from mmengine.structures import InstanceData


def image_area(img_meta: dict) -> tuple[list[float], list[float]]:
    """Least and most of x1, y1, x2, y2 within the image, in pixels of the input."""
    height, width = img_meta['img_shape'][:2]
    left, top = 0.0, 0.0
    if 'letterbox' in img_meta:
        left, top = img_meta['letterbox']
        height, width = img_meta['ori_shape'][:2]
        across, down = img_meta['scale_factor']
        width, height = left + width * across, top + height * down
    return [left, top] * 2, [width, height] * 2


class LetterboxedHead:
    """A dense head whose boxes return from the canvas of ``DarknetLetterbox`` to the image.

    mmdet's heads divide by ``scale_factor`` alone, since mmdet pads to the right and below only.
    """

    def _bbox_post_process(
        self,
        results: InstanceData,
        cfg: dict,
        rescale: bool = False,
        with_nms: bool = True,
        img_meta: dict | None = None,
    ) -> InstanceData:
        if rescale and 'letterbox' in img_meta:
            results.bboxes = results.bboxes - results.bboxes.new_tensor(img_meta['letterbox'] * 2)
        return super()._bbox_post_process(results, cfg, rescale, with_nms, img_meta)
