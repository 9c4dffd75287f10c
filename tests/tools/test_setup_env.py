"""The set-up of the environment: what it refuses, where its parts come from, what it keeps."""

import signal
import sys
import time
from types import SimpleNamespace

import environment
import missing
import mmcv_wheels
import pytest
import setup_env

PYTHON = 'cp{}{}'.format(*sys.version_info[:2])


@pytest.fixture
def linux(monkeypatch):
    monkeypatch.setattr(environment.platform, 'system', lambda: 'Linux')
    monkeypatch.setattr(environment.platform, 'machine', lambda: 'x86_64')


@pytest.fixture
def checkout(tmp_path):
    for name in ('constraints.txt', 'constraints-upstream.txt', *environment.INPUTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('first')
    return tmp_path


MIRROR = 'https://mirror.example/cpu'
OFFICIAL = ['--index-url', environment.TORCH_CPU_INDEX, *environment.QUICK]


@pytest.mark.parametrize(
    ('system', 'device', 'index_url', 'attempts'),
    [
        ('Linux', 'cpu', None, [['torch==2+cpu', '--no-index'], ['torch==2', *OFFICIAL], None]),
        ('Linux', 'cuda', None, [None]),
        ('Darwin', 'cpu', None, [None]),
        ('Linux', 'cpu', MIRROR, [['torch==2', '--index-url', MIRROR]]),
    ],
)
def test_torch_is_looked_for_where_its_build_for_the_device_is(
    monkeypatch, system, device, index_url, attempts
):
    monkeypatch.setattr(environment.platform, 'system', lambda: system)
    found = environment.torch_attempts('2', device, index_url)
    assert [arguments for _, arguments in found] == [each or ['torch==2'] for each in attempts]


def test_the_sources_of_torch_are_tried_in_turn_until_one_has_it(monkeypatch):
    asked = []

    def answer(command, quiet):
        asked.append((command[-1], quiet))
        return int(command[-1] != 'second')

    monkeypatch.setattr(environment, 'run', answer)
    attempts = [(name, [name]) for name in ('first', 'second', 'third')]
    environment.install_torch(['pip'], attempts)
    assert asked == [('first', True), ('second', True)]
    with pytest.raises(SystemExit, match=r'tried: first; third.*TORCH_INDEX_URL'):
        environment.install_torch(['pip'], [attempts[0], attempts[2]])


def test_a_wheel_must_fit_name_version_python_and_machine(linux, tmp_path):
    names = [
        f'mmcv-2.3.6-{PYTHON}-{PYTHON}-linux_x86_64.whl',
        f'onedl_mmcv-2.3.5-{PYTHON}-{PYTHON}-linux_x86_64.whl',
        'onedl_mmcv-2.3.6-cp39-cp39-linux_x86_64.whl',
        f'onedl_mmcv-2.3.6-{PYTHON}-{PYTHON}-linux_aarch64.whl',
    ]
    for name in names:
        (tmp_path / name).touch()
    assert mmcv_wheels.find_wheel(tmp_path, 'onedl-mmcv', '2.3.6') is None
    fitting = tmp_path / f'onedl_mmcv-2.3.6-{PYTHON}-{PYTHON}-linux_x86_64.whl'
    fitting.touch()
    assert mmcv_wheels.find_wheel(tmp_path, 'onedl-mmcv', '2.3.6') == fitting


def test_a_given_folder_comes_before_the_cache_and_its_lack_is_said(linux, tmp_path, capsys):
    given, cache = tmp_path / 'given', tmp_path / 'cache'
    wheel = f'mmcv-2.1.0-{PYTHON}-{PYTHON}-linux_x86_64.whl'
    for folder in (given, cache):
        folder.mkdir()
        (folder / wheel).touch()
    ready = mmcv_wheels.ready_wheels(str(given), [cache], 'mmcv', '2.1.0')
    assert list(ready.values()) == [given / wheel, cache / wheel]
    assert capsys.readouterr().out == ''

    (given / wheel).unlink()
    ready = mmcv_wheels.ready_wheels(str(given), [cache], 'mmcv', '2.1.0')
    assert list(ready.values()) == [cache / wheel]
    assert f"MMCV_WHEELS is '{given}'; it holds no mmcv 2.1.0" in capsys.readouterr().out


def test_mmcv_is_compiled_only_after_the_ready_wheels(linux, tmp_path, monkeypatch):
    wheel = tmp_path / f'mmcv-2.1.0-{PYTHON}-{PYTHON}-linux_x86_64.whl'
    wheel.touch()
    built = []
    monkeypatch.setattr(mmcv_wheels, 'missing_to_build', lambda device: [])
    monkeypatch.setattr(mmcv_wheels, 'build_mmcv', lambda *args: built.append(args) or 'built')
    wheels = mmcv_wheels.mmcv_wheels(['pip'], None, tmp_path, 'mmcv', '2.1.0', 'cpu')
    assert next(wheels) == wheel
    assert built == []
    assert next(wheels) == 'built'


def test_the_cache_tells_torch_versions_and_devices_apart(linux):
    keys = {
        mmcv_wheels.cache_key(torch, compute)
        for torch in ('2.13.0+cpu', '2.13.0+cu130')
        for compute in ('cpu', 'cuda_sm90', 'cuda_sm80')
    }
    assert len(keys) == 6
    assert f'{PYTHON}-torch2.13.0+cpu-cpu-linux-x86_64' in keys


def test_all_that_is_missing_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(missing.sys, 'version_info', (3, 9, 18))
    monkeypatch.setattr(missing, 'find_spec', lambda name: None)
    monkeypatch.setattr(missing.shutil, 'which', lambda name: None)
    monkeypatch.setattr(missing.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=1e9))
    monkeypatch.setattr(missing.sysconfig, 'get_paths', lambda: {'include': str(tmp_path)})
    monkeypatch.delenv('CUDA_HOME', raising=False)
    lacks = missing.missing(tmp_path, 'cuda', build_in=tmp_path / 'cache')
    starts = ['Python 3.10 to', "Python's venv and ensurepip", 'a C++17', "Python's headers"]
    starts += ['the CUDA toolkit (nvcc)', f'18 GB on the disk of {tmp_path} (1.0 GB are free)']
    assert [lack[: len(start)] for lack, start in zip(lacks, starts, strict=True)] == starts
    assert len(missing.missing(tmp_path, 'cuda', build_in=None)) == 3


def test_a_machine_with_everything_lacks_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(missing.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=1e12))
    assert missing.missing(tmp_path, 'cpu', build_in=None) == []


def test_folders_of_one_disk_share_its_room(tmp_path, monkeypatch):
    monkeypatch.setattr(missing.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=4e9))
    a, b = tmp_path / 'not/there/yet', tmp_path / 'other'
    assert missing.short_disks({a: 4.0}) == []
    short = f'4.5 GB on the disk of {tmp_path} (4.0 GB are free)'
    assert missing.short_disks({a: 2.5, b: 2}) == [short]


def test_a_stamp_holds_until_an_input_changes(checkout):
    venv = checkout / 'env'
    packages = venv / 'lib/python3.11/site-packages'
    packages.mkdir(parents=True)

    def key(stack='onedl', device='cpu'):
        return environment.stamp_key(venv, stack, device, root=checkout)

    first = key()
    assert key() == first
    assert key(stack='upstream') != first
    assert key(device='cuda') != first
    (packages / 'torch-2.13.0.dist-info').mkdir()
    with_torch = key()
    assert with_torch != first
    (checkout / 'constraints.txt').write_text('second')
    assert key() != with_torch


def test_when_the_stamp_holds_nothing_is_installed(checkout, monkeypatch):
    venv = checkout / 'env'
    venv.mkdir()
    monkeypatch.setattr(sys, 'argv', ['setup_env.py', '--venv', str(venv)])
    monkeypatch.setenv('DEVICE', 'cpu')
    calls = []
    monkeypatch.setattr(setup_env, 'set_up', lambda *args: calls.append(args))
    setup_env.main()
    setup_env.main()
    assert calls == [(venv, 'onedl', 'cpu')]


def test_a_folder_with_other_files_is_not_emptied(tmp_path):
    (tmp_path / 'thesis.tex').touch()
    with pytest.raises(SystemExit, match='holds other files'):
        environment.make_venv(tmp_path)
    assert (tmp_path / 'thesis.tex').exists()


def test_the_device_is_the_one_asked_for_or_follows_the_gpu(monkeypatch):
    monkeypatch.setattr(environment, 'has_gpu', lambda: True)
    chosen = [environment.choose_device(wanted) for wanted in (None, '', 'cpu')]
    assert chosen == ['cuda', 'cuda', 'cpu']
    with pytest.raises(SystemExit, match="DEVICE is 'gpu'; it must be 'cpu' or 'cuda'"):
        environment.choose_device('gpu')


@pytest.mark.parametrize(('memory_gb', 'jobs'), [(64, 8), (6.5, 3), (1, 1)])
def test_compilers_run_one_for_each_core_and_two_gigabytes(memory_gb, jobs):
    assert mmcv_wheels.build_jobs(cores=8, memory_gb=memory_gb) == jobs


@pytest.mark.parametrize(
    ('log', 'elapsed', 'line'),
    [
        ('running build_ext\n', 60, 'mmcv: getting the source, 1.0 min passed, about 13 min left'),
        (
            '  [1/78] c++ a\n  [2/78] c++ b\n',
            60,
            'mmcv: 2 of 78 files compiled, 1.0 min passed, about 13 min left',
        ),
        ('[39/78] c++ c', 600, 'mmcv: 39 of 78 files compiled, 10.0 min passed, about 10 min left'),
    ],
)
def test_the_time_left_follows_the_files_once_ten_are_compiled(log, elapsed, line):
    assert mmcv_wheels.progress(log, elapsed, estimate=840) == line


def test_the_upstream_stack_has_its_own_pins_and_shares_the_others():
    assert environment.pinned('mmcv', 'upstream') == '2.1.0'
    assert environment.pinned('onedl-mmcv', 'onedl') == '2.3.6'
    assert environment.pinned('torch', 'upstream') == environment.pinned('torch', 'onedl')
    with pytest.raises(KeyError, match='tensorflow'):
        environment.pinned('tensorflow', 'onedl')


def fake_pip(then):
    """A pip whose last two arguments are a folder, in which it puts a wheel, and a requirement."""
    name = f'mmcv-2.1.0-{PYTHON}-{PYTHON}-linux_{environment.platform.machine()}.whl'
    lines = [
        'import pathlib, sys, time',
        f"(pathlib.Path(sys.argv[-2]) / '{name}').write_text(sys.argv[-1])",
        then,
    ]
    return [sys.executable, '-c', '\n'.join(lines)], name


def test_a_wheel_is_kept_when_it_is_whole(tmp_path):
    pip, name = fake_pip('')
    wheel = mmcv_wheels.build_mmcv(pip, 'mmcv', '2.1.0', tmp_path / 'cache', 'cpu')
    assert wheel == tmp_path / 'cache' / name
    assert wheel.read_text() == 'mmcv==2.1.0'


def test_a_failed_build_shows_its_errors_and_leaves_no_wheel(tmp_path):
    pip, _ = fake_pip("print('a.cpp:1: error: no such type'); sys.exit(1)")
    with pytest.raises(SystemExit, match=r'(?s)could not be built:\na.cpp:1: error.*build\.log'):
        mmcv_wheels.build_mmcv(pip, 'mmcv', '2.1.0', tmp_path, 'cpu')
    assert [path.name for path in tmp_path.iterdir()] == ['build.log']


def test_an_interrupted_build_ends_at_once_and_leaves_no_wheel(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    pip, _ = fake_pip('time.sleep(60)')
    monkeypatch.setattr(mmcv_wheels, 'REPORT_SECONDS', 1)
    monkeypatch.setattr(mmcv_wheels, 'progress', interrupt)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        mmcv_wheels.build_mmcv(pip, 'mmcv', '2.1.0', tmp_path, 'cpu')
    assert time.monotonic() - start < 30
    assert [path.name for path in tmp_path.iterdir()] == ['build.log']


def test_a_cpu_torch_gives_way_when_a_gpu_is_wanted(tmp_path, monkeypatch):
    venv = tmp_path / 'env'
    (venv / 'lib/python3.11/site-packages/torch-2.13.0+cpu.dist-info').mkdir(parents=True)
    calls = []

    class Enough(Exception):
        pass

    def stop(*args):
        raise Enough

    monkeypatch.setattr(setup_env, 'missing', lambda *args, **kwargs: [])
    monkeypatch.setattr(setup_env, 'make_venv', lambda venv: None)
    monkeypatch.setattr(setup_env, 'install_torch', stop)
    monkeypatch.setattr(setup_env, 'run', lambda command: calls.append(command[-3:]))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '0')
    for device in ('cuda', 'cpu'):
        with pytest.raises(Enough):
            setup_env.set_up(venv, 'onedl', device)
    assert calls == [['uninstall', '-y', 'torch']]
    assert setup_env.os.environ['CUDA_VISIBLE_DEVICES'] == ''


def test_what_the_set_up_starts_ends_at_once_when_it_is_terminated(tmp_path, monkeypatch):
    ask = 'import signal; print(int(signal.getsignal(signal.SIGTERM)))'
    answers = []

    def start_one(*args):
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        answers.append(environment.trial(sys.executable, ask)[0])

    monkeypatch.setattr(sys, 'argv', ['setup_env.py', '--venv', str(tmp_path)])
    monkeypatch.setenv('DEVICE', 'cpu')
    monkeypatch.setattr(setup_env, 'set_up', start_one)
    before = signal.getsignal(signal.SIGTERM)
    setup_env.main()
    signal.signal(signal.SIGTERM, before)
    assert answers == ['0\n']  # SIG_DFL
