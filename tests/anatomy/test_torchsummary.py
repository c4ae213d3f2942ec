"""The table of the encoder-decoder's source document, row by row (seed_000.txt is its own text)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minifcn.anatomy.torchsummary import rows, styled
from minifcn.models import build

DOCUMENT = (Path(__file__).parent / "seed_000.txt").read_text().splitlines()
TOTALS = """
Total params: 16,463,253
Trainable params: 16,463,253
Non-trainable params: 0
Input size (MB): 0.57
Forward/backward pass size (MB): 296.87
"""  # fmt: skip


def cells(line: str) -> list[str]:
    return re.split(r"\t| {2,}", re.sub(r"\]\s+", "]\t", line.strip()))


@pytest.mark.parametrize("options", [{}, {"skips": True}])
def test_all_fifty_rows_and_the_totals_are_the_documents(options):
    lines = styled("seed-000", "encoder-decoder", **options).splitlines()
    table = [cells(line) for line in lines if re.match(r" *\w+-\d+ ", line)]
    assert table == [cells(line) for line in DOCUMENT]
    assert len(table) == 50
    assert [row[0] for row in table[30:32]] == ["MaxPool2d-31", "ConvTranspose2d-33"]
    assert [line for line in lines if ":" in line] == TOTALS.split("\n")[1:-1]


def test_what_fills_up_and_cuts_has_no_row():
    table = list(rows(build("encoder-decoder", 5, width=1 / 64), (1, 3, 33, 47)))
    assert len(table) == 50
    assert (table[0].shape, table[-1].shape) == ((1, 64, 64), (5, 64, 64))
