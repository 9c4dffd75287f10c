"""KITTI's 2D object data as an mmdet dataset."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmdet.datasets import BaseDetDataset, CocoDataset
from mmdet.registry import DATASETS
from mmengine.logging import print_log

from .evaluation import KITTI_CLASSES
from .frames import BOX_TOLERANCE, KittiFrames, read_frames
from .objects import KITTI_TYPES, NEIGHBOURS

_PALETTE = {
    'Car': (0, 0, 142),
    'Pedestrian': (220, 20, 60),
    'Cyclist': (255, 140, 0),
    'Van': (0, 130, 180),
    'Truck': (0, 0, 70),
    'Person_sitting': (250, 100, 160),
    'Tram': (0, 80, 100),
    'Misc': (119, 11, 32),
}
_FILTERS = ('filter_empty_gt', 'min_size')


@DATASETS.register_module()
class KittiDataset(BaseDetDataset):
    """The folders and label files of KITTI's 2D object benchmark, read as they are.

    Source: https://www.cvlibs.net/datasets/kitti/eval_object.php?obj_benchmark=2d. All files are
    checked when the dataset is built, and everything wrong is reported at once.

    Each instance has mmdet's ``bbox`` (x1, y1, x2, y2 in px of the image file), ``bbox_label`` and
    ``ignore_flag``, and besides ``truncated`` in [0, 1], ``occluded`` (0 to 3), ``width`` and
    ``height`` in px of the image file. ``img_id`` is the frame id, such as ``'000123'``.

    Args:
        ann_file: Split list, one frame id a line.
        data_root: Folder with ``training`` and ``ImageSets``.
        data_prefix: Folders of the images (``img``) and of the labels (``label``). Without
            ``label``, or with None, there are no instances: allowed in test mode only, for KITTI's
            ``testing`` folder.
        ignore_types: Types whose boxes become ignored instances, which neither train nor count as
            false. Defaults to DontCare and the neighbours of the classes: Van of Car,
            Person_sitting of Pedestrian. A type that is a class is never ignored. An ignored
            instance has the label of the class it neighbours, or else 0. Boxes of any other of
            KITTI's types are background, and a type that is none of these is an error. A box
            without area is ignored too, whatever its type.
        filter_cfg: ``filter_empty_gt=True`` leaves out frames without an instance of the classes,
            ``min_size`` those whose image has a smaller side, in px. Not in test mode, as in
            mmdet.
        kwargs: Of :class:`mmdet.datasets.BaseDetDataset`: pipeline, test_mode, ... The ``classes``
            of ``metainfo`` are any names of the label files but DontCare, in any order; they
            default to Car, Pedestrian and Cyclist.

    Raises:
        FileNotFoundError: the split list or a folder is missing.
        KittiDataError: lists all that is wrong in the files.
    """

    METAINFO: ClassVar[dict] = dict(
        classes=KITTI_CLASSES, palette=[_PALETTE[name] for name in KITTI_CLASSES]
    )

    def __init__(
        self,
        *,
        ann_file: str = 'ImageSets/train.txt',
        data_root: str = '',
        data_prefix: Mapping[str, str | None] = dict(
            img='training/image_2', label='training/label_2'
        ),
        ignore_types: Sequence[str] | None = None,
        filter_cfg: dict | None = None,
        test_mode: bool = False,
        **kwargs,
    ) -> None:
        # BaseDataset refuses None.
        data_prefix = {key: path for key, path in data_prefix.items() if path is not None}
        unknown = set(data_prefix) - {'img', 'label'}
        if unknown or 'img' not in data_prefix:
            raise ValueError(
                f"data_prefix has the keys {sorted(data_prefix)}; it needs 'img' and may have "
                "'label'"
            )
        if 'label' not in data_prefix and not test_mode:
            raise ValueError(
                "data_prefix has no 'label'; training needs labels, and only test_mode=True "
                'does without'
            )
        unknown = set(filter_cfg or {}) - set(_FILTERS)
        if unknown:
            raise ValueError(f'filter_cfg has {sorted(unknown)}; it may have {_FILTERS}')
        if isinstance(ignore_types, str):
            raise ValueError(
                f"ignore_types is {ignore_types!r}; give a tuple of types, such as ('Van',)"
            )
        self.ignore_types = ignore_types
        super().__init__(
            ann_file=ann_file,
            data_root=data_root,
            data_prefix=data_prefix,
            filter_cfg=filter_cfg,
            test_mode=test_mode,
            **kwargs,
        )

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        loaded = super()._load_metainfo(metainfo)
        classes = loaded['classes']
        if isinstance(classes, str) or not classes:
            raise ValueError(f"classes is {classes!r}; give a tuple such as ('Car', 'Cyclist')")
        loaded['classes'] = classes = tuple(classes)
        official = {kind.casefold(): kind for kind in KITTI_TYPES}
        for name in classes:
            meant = official.get(name.casefold(), name)
            if name != meant or name == 'DontCare' or name.split() != [name]:
                raise ValueError(
                    f"classes has '{name}'; a class is a type of the label files, in one word and "
                    f"spelled as KITTI does where it is of KITTI's, and never DontCare"
                )
        if len(set(classes)) < len(classes):
            raise ValueError(f'classes is {classes}; each must be another one')
        if 'palette' not in (metainfo or {}):
            others = CocoDataset.METAINFO['palette']
            loaded['palette'] = [
                _PALETTE.get(name, others[label % len(others)])
                for label, name in enumerate(classes)
            ]
        return loaded

    def types_to_ignore(self) -> list[str]:
        """``ignore_types``, or what it stands for by default, without the classes."""
        classes, ignored = self._metainfo['classes'], self.ignore_types
        if ignored is None:
            ignored = ['DontCare', *(NEIGHBOURS[name] for name in classes if name in NEIGHBOURS)]
        return [kind for kind in ignored if kind not in classes]

    def read_frames(self) -> KittiFrames:
        """The split as its files have it, checked; the errors are those of the class."""
        split, img_dir = self.ann_file, self.data_prefix['img']
        label_dir = self.data_prefix.get('label')
        _check_layout(split, img_dir, label_dir)
        known_types = dict.fromkeys(
            (*KITTI_TYPES, *self._metainfo['classes'], *self.types_to_ignore())
        )
        return read_frames(split, img_dir, label_dir, tuple(known_types))

    def load_data_list(self) -> list[dict]:
        """One dict per frame of the split list, in its order."""
        frames = self.read_frames()
        if frames.num_clipped:
            print_log(
                f'{frames.num_clipped} boxes of {self.ann_file} left their image by up to '
                f'{BOX_TOLERANCE:g} px and were clipped to it',
                logger='current',
                level=logging.WARNING,
            )
        return [
            dict(
                img_id=frame_id,
                img_path=path,
                width=width,
                height=height,
                instances=of_frame,
            )
            for frame_id, path, (width, height), of_frame in zip(
                frames.frame_ids,
                frames.image_paths,
                frames.image_sizes.tolist(),
                self._instances(frames),
                strict=True,
            )
        ]

    def _instances(self, frames: KittiFrames) -> list[list[dict]]:
        """mmdet's instances of each frame."""
        classes = self._metainfo['classes']
        labels = dict.fromkeys(self.types_to_ignore(), 0)
        for label, name in enumerate(classes):
            if NEIGHBOURS.get(name) in labels:
                labels[NEIGHBOURS[name]] = label
        labels |= {name: label for label, name in enumerate(classes)}
        instances: list[list[dict]] = [[] for _ in frames.frame_ids]
        objects = frames.objects
        # The size is that of the file's box, as the evaluation sees it, even if it was clipped.
        for frame, kind, bbox, size, truncated, occluded in zip(
            objects.frame.tolist(),
            objects.types.tolist(),
            objects.bbox.tolist(),
            (frames.bbox[:, 2:] - frames.bbox[:, :2]).tolist(),
            objects.truncated.tolist(),
            objects.occluded.tolist(),
            strict=True,
        ):
            if kind in labels:
                # A box without area has no centre cell and no logarithm of its size to train on.
                has_area = bbox[0] < bbox[2] and bbox[1] < bbox[3]
                instances[frame].append(
                    dict(
                        bbox=bbox,
                        bbox_label=labels[kind],
                        ignore_flag=int(kind not in classes or not has_area),
                        truncated=truncated,
                        occluded=occluded,
                        width=size[0],
                        height=size[1],
                    )
                )
        return instances

    def filter_data(self) -> list[dict]:
        """Leave out frames as ``filter_cfg`` says."""
        if self.test_mode or self.filter_cfg is None:
            return self.data_list
        min_size = self.filter_cfg.get('min_size', 0)
        needs_object = self.filter_cfg.get('filter_empty_gt', False)
        kept = [
            info
            for info in self.data_list
            if min(info['width'], info['height']) >= min_size
            and not (needs_object and all(obj['ignore_flag'] for obj in info['instances']))
        ]
        if not kept:
            raise ValueError(
                f'filter_cfg={self.filter_cfg} leaves none of the {len(self.data_list)} frames of '
                f'{self.ann_file}; relax it, or check classes {self._metainfo["classes"]}'
            )
        return kept

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of a frame's instances that are not ignored, for class-balanced sampling."""
        instances = self.get_data_info(idx)['instances']
        return [obj['bbox_label'] for obj in instances if not obj['ignore_flag']]


def _check_layout(split: str, img_dir: str, label_dir: str | None) -> None:
    """Name all that is missing at once, before anything is read."""
    missing = []
    if not os.path.isfile(split):
        missing.append(f'{split} (split list, one frame id such as 000123 a line)')
    if not os.path.isdir(img_dir):
        missing.append(f'{img_dir} (folder of images such as 000123.png or 000123.jpg)')
    if label_dir is not None and not os.path.isdir(label_dir):
        missing.append(f'{label_dir} (folder of labels such as 000123.txt)')
    if missing:
        raise FileNotFoundError(
            f'missing: {"; ".join(missing)}. Expected are training/image_2, training/label_2 and '
            'ImageSets/train.txt in data_root; tools/prepare_kitti.py makes them from the official '
            'zip files'
        )
