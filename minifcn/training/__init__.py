"""Training: optimizers, schedules, measures, checkpoints, and the trainer that ties them together.

Every part is loaded when it is first used: the command line reads the records of a plan, and nothing else, for its help.
"""

from typing import TYPE_CHECKING

from minifcn.lazy import lazy

if TYPE_CHECKING:
    from minifcn.training.batches import fit_batches
    from minifcn.training.diagnosis import Diverged
    from minifcn.training.gradients import clip_grad_norm
    from minifcn.training.groups import freeze, parameter_groups
    from minifcn.training.importing import Imported, import_weights
    from minifcn.training.metrics import MEASURES, ConfusionMatrix, jaccard_index
    from minifcn.training.optimizers import SGD, Adam, AdamW, Optimizer
    from minifcn.training.plan import DataPlan, NetworkPlan, OptimizerPlan, Plan
    from minifcn.training.run.checkpoint import Checkpoint, load_model, read_checkpoint, read_metadata, write_checkpoint
    from minifcn.training.run.folder import RunFolder
    from minifcn.training.run.progress import Progress
    from minifcn.training.schedules import Schedule, parse_schedule
    from minifcn.training.settings import Settings
    from minifcn.training.trainer import Result, Trainer
    from minifcn.training.validation import Evaluation, evaluate, predict
    from minifcn.training.views import Views
    from minifcn.weights.files import load_weights

__all__ = [
    "MEASURES", "SGD", "Adam", "AdamW", "Checkpoint", "ConfusionMatrix", "DataPlan", "Diverged", "Evaluation", "Imported",
    "NetworkPlan", "Optimizer", "OptimizerPlan", "Plan", "Progress", "Result", "RunFolder", "Schedule", "Settings", "Trainer",
    "Views",
    "clip_grad_norm", "evaluate", "fit_batches", "freeze", "import_weights", "jaccard_index", "load_model", "load_weights",
    "parameter_groups", "parse_schedule", "predict", "read_checkpoint", "read_metadata", "write_checkpoint",
]  # fmt: skip

_HOME = {
    "batches": ("fit_batches",),
    "diagnosis": ("Diverged",),
    "gradients": ("clip_grad_norm",),
    "groups": ("freeze", "parameter_groups"),
    "importing": ("Imported", "import_weights"),
    "metrics": ("MEASURES", "ConfusionMatrix", "jaccard_index"),
    "optimizers": ("SGD", "Adam", "AdamW", "Optimizer"),
    "plan": ("DataPlan", "NetworkPlan", "OptimizerPlan", "Plan"),
    "run.checkpoint": ("Checkpoint", "load_model", "load_weights", "read_checkpoint", "read_metadata", "write_checkpoint"),
    "run.folder": ("RunFolder",),
    "run.progress": ("Progress",),
    "schedules": ("Schedule", "parse_schedule"),
    "settings": ("Settings",),
    "trainer": ("Result", "Trainer"),
    "validation": ("Evaluation", "evaluate", "predict"),
    "views": ("Views",),
}
if not TYPE_CHECKING:  # which would take any misspelt name for Any
    __getattr__, __dir__ = lazy(__name__, _HOME)
