"""Sources as students hand them in."""

from __future__ import annotations

import textwrap


def written(signature: str, *bodies: str) -> list[str]:
    """A source for each body of the function ``def signature:``."""
    return [
        f"import numpy as np\n\n\ndef {signature}:\n{textwrap.indent(textwrap.dedent(body).strip(), '    ')}\n"
        for body in bodies
    ]
