"""What mmdet's heads share once they mine: their options, and the way past the mining."""

from collections.abc import Sequence

from mmdet.utils import InstanceList, OptConfigType, OptInstanceList
from torch import Tensor

from ..mining.lrm_loss import Miner, build_miner
from ..mining.non_finite import NonFiniteReport
from .letterboxed import LetterboxedHead
from .targets import checked_iof_thr, pad_truths
from .truth_check import TruthCheck, names_of_images


class MinedHead(LetterboxedHead):
    """Comes before mmdet's head among the bases; a subclass has ``loss_terms``.

    Args:
        lrm: Config of a miner, such as :class:`mmdet_lrm.LRMLoss`; None: as the subclass says, by
            the parent's own code unless ``ignore_iof_thr`` is given.
        ignore_iof_thr: A prior of whose box more than this share, in [0, 1], lies in an ignored
            instance is no negative, and neither ranks nor trains, unless a truth is assigned to it.
            None: 0.5 with ``lrm``, and as the parent without, which does not look at ignored
            instances. Give the baseline of a comparison the same number.
    """

    def __init__(
        self, *args, lrm: OptConfigType = None, ignore_iof_thr: float | None = None, **kwargs
    ) -> None:
        super().__init__(*args, **kwargs)
        self.lrm = build_miner(lrm, self.loss_terms)
        self.truth_check = TruthCheck(self.num_classes)
        self.non_finite = NonFiniteReport()
        self.ignore_iof_thr = checked_iof_thr(ignore_iof_thr, self.usual_iof_thr(lrm))
        if self.ignore_iof_thr is not None:
            self._prepare()
        self.selection = self.lrm or self._selection_without_lrm()

    @staticmethod
    def usual_iof_thr(lrm: OptConfigType) -> float | None:
        """What ``ignore_iof_thr`` is where it is not given, or None."""
        return 0.5 if lrm else None

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

    def _prepare(self) -> None:
        """Called where the subclass does the parent's work for the whole batch at once.

        Raises:
            ValueError: a part of the head is none whose work it does.
        """
        raise NotImplementedError

    def _selection_without_lrm(self) -> Miner | None:
        """What takes the place of ``lrm``; None where the parent selects."""
        raise NotImplementedError
