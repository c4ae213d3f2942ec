"""How fast: ours against PyTorch in one process, in turn, on the same number of threads.

    timing.py      runs two functions in turn; medians, ratios, spread
    device.py      where arrays live, threads and precision, set for both sides
    contest.py     one thing done by both: results compared first, then the clock
    layers.py      the layers of VGG16 and of FCN-8s, one by one
    network.py     a whole network of the catalogue: a training step, and inference
    profile.py     where such a step goes, by kind of layer
    memory.py      the peak of a fresh process that does three steps (three_steps.py)
    ladder.py      the rungs of `minifcn.kernels`, each held to `loops` before it is timed
    twins/         PyTorch's networks; torch_step.py and torch_layers.py: its steps and its layers
    measurements.py  what can be measured, by name, for the command line
    onnx_runtime.py  a third peer in inference: ONNX Runtime, with our network as `minifcn.export` writes it
    machine.py, tables.py, record.py, plot.py   what it ran on; tables; JSON; pictures

Where PyTorch is not installed, ours is timed alone. Nothing below the command line imports this package.
"""

from minifcn.bench.contest import Contest, Result, run
from minifcn.bench.device import Device
from minifcn.bench.timing import Timing, compare

__all__ = ["Contest", "Device", "Result", "Timing", "compare", "run"]
