"""Modules by the names that they had before each got its room: they warn for one release."""

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from types import ModuleType

MOVED = {
    'anchors': 'darknet.priors',
    'backbones': 'darknet.networks',
    'benchmark': 'study',
    'benchmark.class_ap': 'voc_metric',
    'benchmark.fairness': 'study.fairness',
    'benchmark.plots': 'study.plots',
    'benchmark.statistics': 'study.statistics',
    'benchmark.tables': 'study.tables',
    'darknet.network': 'darknet.networks',
    'diagnosis': 'mining.diagnosis',
    'hooks': 'mining.schedule',
    'image_size': 'reading.image_size',
    'kitti.drawn': 'kitti.drawing',
    'kitti.prepare': 'kitti.preparing',
    'lrm_element_loss': 'mining.element_loss',
    'lrm_loss': 'mining.lrm_loss',
    'mining.showing': 'launch.showing',
    'necks': 'darknet.neck',
    'pictures': 'mining.pictures',
    'pipelines': 'configs',
    'schedulers': 'darknet.schedule',
    'shipped': 'configs',
    'study.voc_metric': 'voc_metric',
    'text': 'reading.text',
    'transforms': 'darknet.transforms',
}
PACKAGE = __name__.partition('.')[0]


class _OldPaths(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module by its old name, as the very module of the new one."""

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition('.')
        if package != PACKAGE or name not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(
            fullname, self, is_package=any(old.startswith(f'{name}.') for old in MOVED)
        )

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        new = f'{PACKAGE}.{MOVED[spec.name.partition(".")[2]]}'
        warnings.warn(f'{spec.name} is now {new}', FutureWarning, stacklevel=2)
        return ModuleType(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        new = f'{PACKAGE}.{MOVED[module.__name__.partition(".")[2]]}'
        sys.modules[module.__name__] = importlib.import_module(new)


def keep_old_paths() -> None:
    """Let the names of :data:`MOVED` be imported. Called once, when the package is imported."""
    # First, or a package that is known by two names would load its modules twice.
    sys.meta_path.insert(0, _OldPaths())
