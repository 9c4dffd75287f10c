"""Into use: a detector as a file of ONNX, its inference made fast and timed."""

from .detector import Detector, ExportError
from .exporting import export
from .fast import PrecisionError, accelerate

__all__ = ['Detector', 'ExportError', 'PrecisionError', 'accelerate', 'export']
