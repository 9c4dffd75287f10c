"""How a program ends: an error that a user can mend is one line on stderr, not a traceback."""

import logging
import os
import pickle
import signal
import sys
from collections.abc import Callable

from ..errors import UserError
from .checkpoints import protect_checkpoints, unreadable


def leave_out_parameters(logger: logging.Logger) -> None:
    """Log no line for each parameter of the optimizer, which MMEngine does of a paramwise_cfg."""
    logger.addFilter(lambda record: not record.getMessage().startswith('paramwise_options'))


def program(main: Callable[[], None], *errors: type[Exception], goes_on: str = '') -> None:
    """Run the main function of a program, as its last statement; no checkpoint runs code in it.

    Args:
        main: takes its arguments from ``sys.argv``; argparse ends a wrong usage with status 2.
        errors: kinds whose message is shown alone, with status 1, beside :class:`UserError`.
        goes_on: what is said after an interruption (Ctrl-C, or SIGTERM), such as 'the same command
            goes on from the last finished epoch'.
    """
    protect_checkpoints()
    # Asked to end, a program ends as after Ctrl-C: its clean-up runs, and what it started ends too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # Not so what it forks: a worker of mmdet's evaluation that is ended while it takes a lock would
    # keep the lock, and the pool would wait for it for ever.
    os.register_at_fork(after_in_child=_end_at_once)
    try:
        main()
    except (UserError, *errors) as error:
        sys.exit(f'error: {error}')
    except pickle.UnpicklingError as error:  # of a checkpoint that was not there to be checked
        sys.exit(f'error: {unreadable("a checkpoint", error)}')
    except KeyboardInterrupt:
        sys.exit('; '.join(['\ninterrupted', goes_on]) if goes_on else '\ninterrupted')


def _end_at_once() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
