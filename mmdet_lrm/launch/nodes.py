"""The dicts that a config is made of, with their keys."""

from collections.abc import Iterator

from mmengine.config import ConfigDict


def nodes(node: object, key: str = '') -> Iterator[tuple[str, dict]]:
    """This node of a config and all below it that are dicts, from above, each with its key.

    Keys are spelt as ``--cfg-options`` has them, elements of lists by their numbers.
    """
    if isinstance(node, dict):
        yield key, node
    children = node if isinstance(node, dict) else {}
    if isinstance(node, list | tuple):
        children = dict(enumerate(node))
    for name, child in children.items():
        yield from nodes(child, f'{key}.{name}' if key else str(name))


def find_datasets(node: object) -> Iterator[ConfigDict]:
    """Datasets with a root, also those inside a wrapper such as RepeatDataset."""
    return (each for _, each in nodes(node) if 'data_root' in each)
