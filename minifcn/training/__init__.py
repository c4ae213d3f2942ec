"""Training: optimizers, schedules, measures, checkpoints, and the trainer that ties them together."""

from minifcn.training.diagnosis import Diverged
from minifcn.training.gradients import clip_grad_norm
from minifcn.training.groups import freeze, parameter_groups
from minifcn.training.metrics import MEASURES, ConfusionMatrix, jaccard_index
from minifcn.training.optimizers import SGD, Adam, AdamW, Optimizer
from minifcn.training.run.checkpoint import Checkpoint, load_model, read_checkpoint, read_metadata, write_checkpoint
from minifcn.training.run.folder import RunFolder
from minifcn.training.run.progress import Progress
from minifcn.training.schedules import Schedule, parse_schedule
from minifcn.training.settings import Settings
from minifcn.training.trainer import Result, Trainer
from minifcn.training.validation import Evaluation, evaluate, predict
from minifcn.weights.files import load_weights

__all__ = [
    "MEASURES", "SGD", "Adam", "AdamW", "Checkpoint", "ConfusionMatrix", "Diverged", "Evaluation", "Optimizer", "Progress",
    "Result", "RunFolder", "Schedule", "Settings", "Trainer", "clip_grad_norm", "evaluate", "freeze", "jaccard_index",
    "load_model", "load_weights", "parameter_groups", "parse_schedule", "predict", "read_checkpoint", "read_metadata",
    "write_checkpoint",
]  # fmt: skip
