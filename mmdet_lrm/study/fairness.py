"""Whether two configs may stand in one table."""

import subprocess
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import set_random_seed

from ..errors import UserError

ABSENT = '<absent>'
IGNORING = 'model.bbox_head.ignore_iof_thr'


class StudyError(UserError):
    """A study that cannot be made, run or merged as it is asked for."""


class UnfairError(StudyError):
    """Two configs differ in more than their table names."""


def differences(
    first: object, second: object, key: str = ''
) -> Iterator[tuple[str, object, object]]:
    """Keys at which two nested configs differ, spelt as ``--cfg-options`` has them, and values.

    A list that holds no dict is one value.
    """
    if isinstance(first, dict) and isinstance(second, dict):
        pairs = [
            (name, first.get(name, ABSENT), second.get(name, ABSENT))
            for name in [*first, *(name for name in second if name not in first)]
        ]
    elif (
        isinstance(first, list | tuple)
        and isinstance(second, list | tuple)
        and len(first) == len(second)
        and any(isinstance(each, dict) for each in (*first, *second))
    ):
        pairs = zip(range(len(first)), first, second, strict=True)
    else:
        if first != second:
            yield key, first, second
        return
    for name, one, other in pairs:
        yield from differences(one, other, f'{key}.{name}' if key else str(name))


def check_fair(
    name: str, variant: Config, baseline: Config, named: Sequence[str]
) -> dict[str, object]:
    """The variant's values where it differs from the baseline.

    Args:
        name: of the variant, for the error.
        variant, baseline: as they would be trained.
        named: keys that may differ, with all below them, such as ``model.bbox_head.lrm``.

    Raises:
        UnfairError: they differ elsewhere; the message has the keys and the values.
    """
    found = list(differences(baseline.to_dict(), variant.to_dict()))
    other = [
        each for each in found if not any(f'{each[0]}.'.startswith(f'{key}.') for key in named)
    ]
    if other:
        lines = [f'  {key}: {one!r} in the baseline, {two!r} here' for key, one, two in other]
        raise UnfairError(
            f'{name} differs from the baseline in more than {", ".join(named)}:\n'
            + '\n'.join(lines)
            + '\nMake them equal, or name the keys with --differ if that is what is compared'
        )
    one, two = ignored_share(baseline), ignored_share(variant)
    if one != two and IGNORING not in (key for key, _, _ in found):
        raise UnfairError(
            f'{name} differs from the baseline in what is ignored: {IGNORING} is not set, and so '
            f'{one} in the baseline and {two} here; set {IGNORING}={two or one} in both'
        )
    return {key: value for key, _, value in found}


def ignored_share(config: Config) -> float | None:
    """``ignore_iof_thr`` of the head, or what it takes in its place: with mining another number."""
    head = config.model.get('bbox_head') or {}
    given = head.get('ignore_iof_thr')
    usual = getattr(MODELS.get(head.get('type', '')), 'usual_iof_thr', None)
    return usual(head.get('lrm')) if usual and given is None else given


def planned_before(plan: Sequence[Path], commit: str) -> bool:
    """Whether files of a plan stood in the repository, as they are committed now, at a commit.

    A study confirms something only if its plan is older than its first training.

    Args:
        plan: files in one git repository.
        commit: of a record, as ``git describe`` names it; with uncommitted changes (``-dirty``) it
            says nothing of what was there. Of several, one after each ', ', it must hold for all.
    """
    git = ['git', '-C', str(plan[0].parent)]
    last = subprocess.run(
        [*git, 'log', '-1', '--format=%H', '--', *map(str, plan)], capture_output=True, text=True
    ).stdout.strip()
    ancestor = [*git, 'merge-base', '--is-ancestor', last]
    return bool(last) and all(
        not each.endswith('-dirty')
        and subprocess.run([*ancestor, each], capture_output=True).returncode == 0
        for each in commit.split(', ')
    )


def initial_weights(config: Config) -> str:
    """Fingerprint of the weights that a training with this config and its seed starts from.

    Raises:
        Exception: whatever the model says to its options.
    """
    set_random_seed(config.randomness.seed)
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmdet')):
        model = MODELS.build(config.model)
    model.init_weights()
    digest = sha256()
    for key, value in sorted(model.named_parameters()):
        digest.update(key.encode() + value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]
