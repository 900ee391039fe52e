"""The Python client as it is in the working tree, with the part that `make client` generates."""

import sys

from serving import ROOT

sys.path.insert(0, str(ROOT / "clients" / "python" / "src"))
