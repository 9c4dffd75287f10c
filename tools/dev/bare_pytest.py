"""pytest as a program begins that needs neither torch nor mmdet; see mmdet_lrm/__init__.py."""

import os
import sys

import pytest


class WithoutConftest:
    """In the place of tests/conftest.py, which needs both."""

    @pytest.fixture(scope='session')
    def shared_dir(self) -> None:
        pytest.skip('golden numbers are compared where there is torch')


if __name__ == '__main__':
    os.environ['MMDET_LRM_UNREGISTERED'] = str(os.getpid())
    sys.exit(pytest.main(['--noconftest', *sys.argv[1:]], plugins=[WithoutConftest()]))
