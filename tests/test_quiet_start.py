import os
import subprocess
import sys

import pytest

from wsseg.quiet_start import NOISE

MESSAGES = ("oneDNN", "cuda drivers", "InitializeLog", "cpu_feature_guard", "cuInit")


def run(program, **environment):
    kept = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=kept | environment
    )


START = "from wsseg.quiet_start import hide_start_up_lines\nhide_start_up_lines()\n"


def test_tensorflow_starts_without_a_word():
    """Imported by Keras, and used; the module is the one that an import without us gives."""
    program = START + (
        "import sys, keras, tensorflow as tf\n"
        "tf.zeros(1) + 1\n"
        "assert tf.__spec__.loader is tf.__loader__ and 'Quiet' not in type(tf.__loader__).__name__\n"
        "assert not [f for f in sys.meta_path if type(f).__module__ == 'wsseg.quiet_start']\n"
        "print('said', file=sys.stderr)"
    )
    done = run(program)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "said\n"


def test_whoever_asks_for_the_lines_sees_them():
    done = run(START + "import tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert done.returncode == 0 and any(message in done.stderr for message in MESSAGES)


def test_an_import_that_fails_shows_everything(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'I0000 00:00:1.2 3 port.cc:1] first\\n')\nraise ImportError('no AVX')\n"
    )
    done = run(START + "import tensorflow", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.returncode == 1
    assert "port.cc:1] first" in done.stderr and "ImportError: no AVX" in done.stderr


def test_a_process_that_dies_in_the_import_says_where(tmp_path):
    (tmp_path / "tensorflow.py").write_text("import os\nos.abort()\n")
    done = run(START + "import tensorflow", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.returncode < 0
    assert "Fatal Python error: Aborted" in done.stderr and "tensorflow.py" in done.stderr


def test_without_standard_error(tmp_path):
    (tmp_path / "tensorflow.py").write_text("class config:\n    list_physical_devices = print\n")
    program = "import os\nos.close(2)\n" + START + "import tensorflow\nprint('done')"
    assert "done" in run(program, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path])).stdout


@pytest.mark.parametrize(
    ("line", "dropped"),
    [
        ("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR", True),
        ("I0000 00:00:1796031929.756060    6510 port.cc:153] oneDNN custom operations are on.", True),
        ("2025-01-02 03:04:05.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations", True),
        ("E0000 00:00:1.3 6 cuda_platform.cc:52] failed call to cuInit: INTERNAL: UNKNOWN ERROR (303)", True),
        ("E0000 00:00:1.3 6 cuda_platform.cc:52] failed call to cuInit: no device (100)", False),
        ("F0000 00:00:1.3 6 cpu.cc:1] needs AVX", False),
        ("DeprecationWarning: something", False),
    ],
)
def test_what_is_noise(line, dropped):
    assert bool(NOISE.match(line)) == dropped


@pytest.mark.slow
def test_the_command_starts_without_a_word(tmp_path):
    """`wsseg models` builds a network, and so starts TensorFlow."""
    program = "import sys\nfrom wsseg.cli import main\nsys.exit(main(['models', 'fcn_32s', '--size', '64']))"
    done = run(program)
    assert done.returncode == 0 and "fcn_32s" in done.stdout and done.stderr == ""
