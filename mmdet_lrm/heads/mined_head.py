"""What mmdet's heads share once they mine: their options, and the way past the mining."""

from collections.abc import Sequence

from mmdet.utils import InstanceList, OptConfigType, OptInstanceList
from torch import Tensor

from ..mining.lrm_loss import build_miner
from ..mining.non_finite import NonFiniteReport
from .letterboxed import LetterboxedHead
from .targets import checked_iof_thr, pad_truths
from .truth_check import TruthCheck, names_of_images


class MinedHead(LetterboxedHead):
    """Comes before mmdet's head among the bases; a subclass has ``loss_terms``."""

    def take_options(self, lrm: OptConfigType, ignore_iof_thr: float | None) -> None:
        """Build and check what the subclass is given; call it when the parent is built."""
        self.lrm = build_miner(lrm, self.loss_terms)
        self.truth_check = TruthCheck(self.num_classes)
        self.non_finite = NonFiniteReport()
        self.ignore_iof_thr = checked_iof_thr(ignore_iof_thr, 0.5 if self.lrm else None)
        if self.ignore_iof_thr is not None:
            self._check_what_is_vectorised()

    def parents_losses(
        self,
        maps: Sequence[Sequence[Tensor]],
        batch_gt_instances: InstanceList,
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: OptInstanceList,
    ) -> dict[str, list[Tensor]]:
        """By the code of mmdet's head, with truths and losses checked as with mining.

        Args:
            maps: of each output of ``forward``, those of all levels.
        """
        images = names_of_images(batch_img_metas)
        self.truth_check.usable(pad_truths(batch_gt_instances), images, wait=True)
        losses = super().loss_by_feat(
            *maps, batch_gt_instances, batch_img_metas, batch_gt_instances_ignore
        )
        self.non_finite.check_reduced(losses, [each for level in maps for each in level], images)
        return losses

    def _check_what_is_vectorised(self) -> None:
        """Raise ValueError for parts whose work the subclass does for the whole batch at once."""
        raise NotImplementedError
