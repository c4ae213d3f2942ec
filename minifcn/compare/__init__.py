"""Runs side by side: one table, one page.

What a run measured is read from its folder. Only what no folder holds is computed, from the best checkpoints: at most eight
predictions and four feature maps of each run, and how long a picture takes. That is kept in the output folder, so that a second
call costs nothing.

    records    what a run's folder says of it, and which runs may be set side by side
    looks      predictions, feature maps and times, computed or kept
    pictures   the figures of the page
    page       page.html, filled in
    report     report.html: one evaluation instead of several runs
"""

from minifcn.compare.page import Story, write_page
from minifcn.compare.records import Record, differences, read_all, table_rows

__all__ = ["Record", "Story", "differences", "read_all", "table_rows", "write_page"]
