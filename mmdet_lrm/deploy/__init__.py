"""Into use: a detector as a file of ONNX, its inference made fast and timed."""

from .detector import Detector, ExportError
from .export import export

__all__ = ['Detector', 'ExportError', 'export']
