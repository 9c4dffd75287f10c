"""What the programs share: a command line that is checked before any long work begins."""

from ..errors import LaunchError
from .checkpoints import allow_mmengine_checkpoints, load_checkpoint
from .config import (
    add_common_arguments,
    config_path,
    load_config,
    load_with_settings,
    read_config,
    require_data,
    require_file,
    require_mining_heads,
    require_pretrained,
)
from .data_check import check_data
from .nodes import find_datasets
from .parts import require_known_parts, require_parts
from .program import leave_out_parameters, program
from .run import testing_config, testing_parser, training_config, training_parser
from .settings import Settings
from .variables import load_with_variables

__all__ = [
    'LaunchError',
    'Settings',
    'add_common_arguments',
    'allow_mmengine_checkpoints',
    'check_data',
    'config_path',
    'find_datasets',
    'leave_out_parameters',
    'load_checkpoint',
    'load_config',
    'load_with_settings',
    'load_with_variables',
    'program',
    'read_config',
    'require_data',
    'require_file',
    'require_known_parts',
    'require_mining_heads',
    'require_parts',
    'require_pretrained',
    'testing_config',
    'testing_parser',
    'training_config',
    'training_parser',
]
