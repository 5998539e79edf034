"""The benchmarks are scripts: their folder is put on the path, as Python does when it runs one of them."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
for folder in (BENCHMARKS / "contestants", BENCHMARKS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
