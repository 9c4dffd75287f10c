"""The check of truths, where they come into a head."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..mining.late_report import LateReport
from .targets import Truths


class TruthError(UserError):
    """A box or a label that nothing can be learnt from."""


class TruthCheck(nn.Module):
    """Refuse truths that would spoil the weights or end in an error that names no cause.

    A box must be finite, with x1 < x2 and y1 < y2, a label in [0, C). Boxes may reach beyond the
    image, as they do after a crop that clips none.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self._late = LateReport()

    def usable(self, truths: Truths, images: Sequence[str], wait: bool = False) -> Truths:
        """The truths, which are all usable, or else this raises.

        Args:
            truths: of N images.
            images: what the message calls them.
            wait: Raise at once on an accelerator as well, for code that cannot go on.

        Returns:
            The truths without those that are refused, so that the step of an accelerator, which
            raises in the next call (:class:`LateReport`), does no harm.

        Raises:
            TruthError: it names the first refused truth and its image.
        """
        bboxes, labels, mask, counts = truths
        good = bboxes.isfinite().all(dim=-1) & (bboxes[..., 2:] > bboxes[..., :2]).all(dim=-1)
        good &= (labels >= 0) & (labels < self.num_classes)
        self._late.check(mask & ~good, partial(self._error, truths, images), wait)
        bboxes = torch.where(good[..., None], bboxes, 0)
        return Truths(bboxes, torch.where(good, labels, 0), mask & good, counts)

    def _error(self, truths: Truths, images: Sequence[str], bad: Tensor, when: str) -> TruthError:
        image, index = bad.nonzero()[0].tolist()
        box = ', '.join(f'{side:g}' for side in truths.bboxes[image, index].tolist())
        return TruthError(
            f'{images[image]} has a truth with the box ({box}), as the pipeline passes it on, and '
            f'the label {truths.labels[image, index].item()}{when}; a box must be finite with '
            f'x1 < x2 and y1 < y2, a label in 0..{self.num_classes - 1}. Mend or remove it in the '
            f'annotations, drop it by FilterAnnotations in the pipeline, or set '
            f'bbox_head.num_classes'
        )


def names_of_images(batch_img_metas: Sequence[dict]) -> list[str]:
    """The file of each image, and its index in the batch where the metas name none."""
    return [
        str(meta.get('img_path') or f'image {index} of the batch')
        for index, meta in enumerate(batch_img_metas)
    ]
