"""Checks of the options that say how much is mined."""

REMEDY = 'For training without mining remove `lrm` from the config'


def checked_amount(
    num_hard: int | None, hard_ratio: float | None, key: str
) -> tuple[int | None, float | None]:
    """The count or the ratio to keep, a quarter if neither is given; ``key`` begins its name.

    Raises:
        ValueError: Both are given, or one is out of its range.
    """
    if num_hard is not None and hard_ratio is not None:
        raise ValueError(
            f'{key}num_hard is {num_hard} and {key}hard_ratio is {hard_ratio}; only one of them '
            f'can say how many elements are kept. Remove the other, or set it to None'
        )
    if num_hard is None and hard_ratio is None:
        hard_ratio = 0.25
    if num_hard is not None and (
        isinstance(num_hard, bool) or not isinstance(num_hard, int) or num_hard < 1
    ):
        raise ValueError(f'{key}num_hard is {num_hard!r}; it must be an integer >= 1. {REMEDY}')
    if hard_ratio is not None and not (is_number(hard_ratio) and 0 < hard_ratio <= 1):
        raise ValueError(f'{key}hard_ratio is {hard_ratio!r}; it must lie in (0, 1]. {REMEDY}')
    return num_hard, hard_ratio


def amount(num_hard: int | None, hard_ratio: float | None) -> str:
    """The one that is given, as an option."""
    return f'hard_ratio={hard_ratio}' if num_hard is None else f'num_hard={num_hard}'


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check_choice(name: str, given: str, allowed: tuple[str, ...], key: str = 'lrm.') -> None:
    if given not in allowed:
        raise ValueError(f'{key}{name} is {given!r}; it must be one of {", ".join(allowed)}')
