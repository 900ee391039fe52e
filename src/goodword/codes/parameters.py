"""Path parameters of the endpoints of referral codes."""

from typing import Annotated

from fastapi import Path

Code = Annotated[str, Path(description="Case, spaces, hyphens and look-alikes (0/O, 1/I/L) are ignored.")]
