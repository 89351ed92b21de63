"""What TensorFlow's C++ code says at its start is hidden, and nothing else."""

import os

from nas.devices.tensorflow_import import without_noise

LOG = b"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796090104.652694   25270 port.cc:153] oneDNN custom operations are on.
I0000 00:00:1796090104.758491   25270 cpu_feature_guard.cc:227] This TensorFlow binary is optimized.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow with the appropriate flags.
the disk is full
E0000 00:00:1796090112.580580   25270 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error
"""


def test_only_the_start_up_log_is_hidden(capfd):
    with without_noise():
        os.write(2, LOG)
    assert capfd.readouterr().err == "the disk is full\n"
