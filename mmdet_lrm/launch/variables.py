"""The variables at the top of a config, set from outside: what the files derive from them follows.

A config file is run, and what it keeps is values: ``train_cfg.max_epochs`` no longer knows that it
was ``max_epochs``. So a variable must be set while its files are run.
"""

import ast
import contextlib
import difflib
import inspect
from collections.abc import Iterator

import mmengine.config.config as of_mmengine
from mmengine.config import Config
from mmengine.runner import Runner

from ..errors import LaunchError
from .nodes import nodes

# What is read of a config once it is loaded: the arguments of the Runner, and what it, the programs
# of MMDetection and `Config` itself look up. Every other name at the top is a variable.
READ = {
    *inspect.signature(Runner).parameters,
    'compile',
    'custom_imports',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'tta_model',
    'tta_pipeline',
}


def load_with_variables(file: str, options: dict[str, object]) -> Config:
    """The config as if its variables that ``options`` name had these values in its files.

    Args:
        options: by key. Those with a dot, and those that the Runner reads, are none of variables;
            they are left to ``Config.merge_from_dict``.

    Raises:
        LaunchError: A variable does not exist, nothing follows it, or its value does not fit.
    """
    config = Config.fromfile(file)
    variables = {key: options[key] for key in options if '.' not in key and key not in READ}
    for name, value in variables.items():
        if name not in config or config[name] != value:
            require_effect(config, _load(file, {name: value}), name)
    return _load(file, variables) if variables else config


def require_effect(config: Config, changed: Config, name: str) -> None:
    """What is read of the config is another once the variable of this name has been set.

    Raises:
        LaunchError: It is not. The message has the keys that the user may have meant.
    """
    if any(config.get(key) != changed.get(key) for key in READ):
        return
    read = {key: config[key] for key in config if key in READ}
    keys = [f'{key}.{name}'.lstrip('.') for key, node in nodes(read) if name in node]
    variables = [key for key in config if key != name and key not in READ]
    if not keys:
        keys = difflib.get_close_matches(name, [*variables, *READ])
    remedy = f'set {" or ".join(keys)}' if keys else f'its variables: {", ".join(variables)}'
    what = 'nothing follows the variable' if name in config else 'there is no variable'
    raise LaunchError(f"--cfg-options {name}=...: in {config.filename} {what} '{name}'; {remedy}")


def _load(file: str, variables: dict[str, object]) -> Config:
    with _set_in_files(variables):
        try:
            return Config.fromfile(file)
        except (TypeError, ValueError, LookupError) as error:
            given = ' '.join(f'{name}={value}' for name, value in variables.items())
            raise LaunchError(f'--cfg-options {given} does not fit {file}: {error}') from error


@contextlib.contextmanager
def _set_in_files(variables: dict[str, object]) -> Iterator[None]:
    """Give the variables these values wherever a config file or a base of it assigns them."""

    class WithVariables(of_mmengine.RemoveAssignFromAST):
        """The last step of MMEngine between the text of a file and its run."""

        def visit_Assign(self, node: ast.Assign) -> ast.Assign | None:
            name = getattr(node.targets[0], 'id', None)
            if name in variables:
                value = ast.parse(repr(variables[name]), mode='eval').body
                node.value = ast.copy_location(value, node.value)
            return super().visit_Assign(node)

    step = of_mmengine.RemoveAssignFromAST
    of_mmengine.RemoveAssignFromAST = WithVariables
    try:
        yield
    finally:
        of_mmengine.RemoveAssignFromAST = step
