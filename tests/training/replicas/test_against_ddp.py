"""Two workers against PyTorch's DistributedDataParallel over gloo: the same weights, the same batches, in float64."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from minifcn.data import Loader
from minifcn.training import SGD, RunFolder, Settings, Trainer
from minifcn.training.replicas import Workers
from support.post import together
from support.tiny import TinySet, tiny_net

STEPS = 10
THEIRS = """
import sys
import numpy as np
import torch
from torch import distributed, nn

folder, rank = sys.argv[1], int(sys.argv[2])
given = np.load(f"{folder}/given.npz")
distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 1)).double()
for index, name in ((0, "conv1"), (1, "norm"), (3, "score")):
    for kind in ("weight", "bias"):
        getattr(net[index], kind).data[...] = torch.from_numpy(given[f"{name}.{kind}"])
parallel = nn.parallel.DistributedDataParallel(net, broadcast_buffers=False)
optimizer = torch.optim.SGD(parallel.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
for step in range(int(given["steps"])):
    images, labels = (torch.from_numpy(given[f"{what}.{step}.{rank}"]) for what in ("images", "labels"))
    pixels = sum(int((given[f"labels.{step}.{r}"] != 255).sum()) for r in (0, 1))
    loss = nn.functional.cross_entropy(parallel(images.double()), labels.long(), ignore_index=255, reduction="sum")
    optimizer.zero_grad()
    (loss * 2 / pixels).backward()  # the gradients of the two are averaged
    optimizer.step()
if rank == 0:
    np.savez(f"{folder}/theirs.npz", **{key: value.numpy() for key, value in net.state_dict().items()})
"""


def test_ten_steps_of_two_workers(tmp_path):
    net = tiny_net(dropout=0.0).to("float64")
    given = {key: value.copy() for key, value in net.state_dict().items()} | {"steps": np.int64(STEPS)}
    RunFolder(tmp_path / "run").create()
    trainers = {}

    def work(comm):
        mine = tiny_net(dropout=0.0).to("float64")
        optimizer = SGD(mine.named_parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        loader = Loader(TinySet(), batch_size=2, shuffle=True, seed=3)
        settings = Settings(iterations=STEPS, accumulate=2, log_every=100, samples=0)
        trainer = Trainer(mine, optimizer, loader, settings, RunFolder(tmp_path / "run"), replicas=Workers(comm, bucket=300))
        trainers[comm.rank] = trainer
        step = trainer.step

        def noted(batches):
            given[f"images.{trainer.state.iteration}.{comm.rank}"] = batches[0].images
            given[f"labels.{trainer.state.iteration}.{comm.rank}"] = batches[0].labels
            return step(batches)

        trainer.step = noted
        trainer.run()

    together(2, work)
    np.savez(tmp_path / "given.npz", **given)
    (tmp_path / "theirs.py").write_text(THEIRS)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen([sys.executable, tmp_path / "theirs.py", tmp_path, str(rank)], env=environment, stderr=subprocess.PIPE)
        for rank in (0, 1)
    ]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
    theirs = np.load(Path(tmp_path) / "theirs.npz")
    places = {"conv1": 0, "norm": 1, "score": 3}
    state = trainers[0].net.state_dict()
    for key, value in state.items():
        name, _, kind = key.partition(".")
        if kind in ("weight", "bias"):  # DDP leaves the running statistics of each process to itself
            np.testing.assert_allclose(value, theirs[f"{places[name]}.{kind}"], rtol=1e-10, atol=1e-12, err_msg=key)
            assert not np.allclose(value, given[key], rtol=1e-3)
