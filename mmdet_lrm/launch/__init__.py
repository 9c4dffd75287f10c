"""What the programs share: a command line that is checked before any long work begins."""

from .config import *  # noqa: F403
