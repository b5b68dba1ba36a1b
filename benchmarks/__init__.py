"""What the hot paths cost: each file measures one beside a floor or a peer in the same run and prints the ratio.

`make bench` runs all, `make bench ARGS=balance` one. They run the production stack on live rows; nothing is bypassed.
Figures vary with the machine, ratios hardly; see docs/benchmarks.md.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # its private servers serve here too
