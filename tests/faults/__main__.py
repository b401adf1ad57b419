"""``python -m tests.faults [WORDS]``: all faults, or those whose name holds WORDS; prints the table."""

import subprocess
import sys
import tempfile
from pathlib import Path

from .campaign import FAULTS, campaign, table
from .sandbox import Parts

_PREPARE = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
import pytest
from tests import conftest
factory = pytest.TempPathFactory(Path(sys.argv[1]) / "parts", 3, "all", lambda *_: None, _ispytest=True)
keras = conftest.tiny_keras_model.__wrapped__(factory)
samples = conftest.tiny_samples.__wrapped__(factory)
tflite = conftest.tiny_tflite.__wrapped__(keras, samples, factory)
print(keras, samples, tflite, conftest.built.__wrapped__(tflite, factory), sep="\\n")
"""


def main() -> int:
    """Run and print; exit status 0 if every fault was detected and nothing was left behind."""
    wanted = " ".join(sys.argv[1:])
    chosen = [fault for fault in FAULTS if wanted in fault.name]
    results = []
    with tempfile.TemporaryDirectory(prefix="deploy-faults-") as folder:
        prepared = subprocess.run(
            [sys.executable, "-c", _PREPARE, folder], capture_output=True, text=True, check=True, timeout=300
        )
        parts = Parts(*(Path(line) for line in prepared.stdout.split()[-4:]))
        for number, result in enumerate(campaign(chosen, parts), 1):
            mark = "ok" if not (result.undetected or result.left) else "FAILED"
            print(f"{number:4} {mark:7}{result.seconds:6.1f} s  {result.fault.name}", flush=True)
            results.append(result)
    print(table(results))
    return 1 if any(result.undetected or result.left for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
