"""Detections of letterboxed images."""

from mmengine.structures import InstanceData


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
