"""Experiments as files: named runs over `minifcn train`'s own settings, and what is to be seen when they stand side by side.

    title, about     what it is, in words; about is a list of paragraphs
    length           "shares" of the time (the default), or "epochs": equally many for all runs
    epochs           with length = "epochs", how many there are at most
    [settings]       of every run: recipe, and the names that config.toml has; options = { ... } are the network's
    [[run]]          name, share of the time (1), and settings of its own, which win
      init_from      may be "run:NAME", an earlier run of the same file
      with_weights   settings that hold where `--weights FILE` is given; init_from = "weights" is that file
      document       { measure = "figure" } that the document reports for this run

The source documents' experiments are the .toml files beside this one. Budgets become lengths in `schedule`.
"""

from minifcn.experiments.file import Experiment, Planned, load, shipped
from minifcn.experiments.schedule import Lengths, fit

__all__ = ["Experiment", "Lengths", "Planned", "fit", "load", "shipped"]
