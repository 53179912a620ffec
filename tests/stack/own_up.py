"""`python -m dev` with a folder of its own for `make up`: a developer may have one running."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dev import __main__, standing
from dev.places import Instance

if __name__ == "__main__":
    _, name, _, *sys.argv[1:] = sys.argv
    standing._INSTANCE = Instance(name)
    sys.exit(__main__.main())
