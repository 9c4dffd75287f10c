"""How programs end."""

import logging
import multiprocessing
import os
import pickle
import signal

import pytest

from mmdet_lrm.errors import UserError
from mmdet_lrm.launch import LaunchError, leave_out_parameters, program


def raising(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize('kind', [UserError, LaunchError])
def test_what_a_user_can_mend_is_one_line(kind):
    with pytest.raises(SystemExit, match=r'^error: the key is 3$'):
        program(raising(kind('the key is 3')))


def test_other_errors_are_one_line_where_the_program_names_them():
    with pytest.raises(SystemExit, match=r'^error: x$'):
        program(raising(OSError('x')), OSError)
    with pytest.raises(OSError, match='x'):
        program(raising(OSError('x')))
    with pytest.raises(ValueError, match='y'):
        program(raising(ValueError('y')))


def test_a_checkpoint_that_only_the_training_saw_is_refused_in_one_line():
    error = pickle.UnpicklingError('Unsupported global: GLOBAL os.system was not an allowed global')
    with pytest.raises(SystemExit, match=r'^error: a checkpoint holds os\.system beside weights'):
        program(raising(error))


@pytest.mark.parametrize(
    'main', [raising(KeyboardInterrupt()), lambda: os.kill(os.getpid(), signal.SIGTERM)]
)
def test_an_interrupted_program_says_how_to_go_on(main):
    with pytest.raises(SystemExit, match=r'^\ninterrupted; run it again$'):
        program(main, goes_on='run it again')
    with pytest.raises(SystemExit, match=r'^\ninterrupted$'):
        program(main)


def _answer_of_a_forked_worker():
    with multiprocessing.get_context('fork').Pool(1) as pool:
        print(int(pool.apply(signal.getsignal, (signal.SIGTERM,))))


def test_a_forked_worker_ends_at_once_when_it_is_terminated(capfd):
    child = multiprocessing.get_context('fork').Process(
        target=program, args=(_answer_of_a_forked_worker,)
    )
    child.start()
    child.join()
    assert capfd.readouterr().out.split() == ['0']  # SIG_DFL


def test_the_log_has_no_line_for_each_parameter(caplog):
    logger = logging.getLogger('of a run')
    leave_out_parameters(logger)
    for text in ('paramwise_options -- backbone.a.bias:weight_decay=0.0', 'Epoch(train) [1]'):
        logger.warning(text)
    assert caplog.messages == ['Epoch(train) [1]']
