"""Does pretraining pay? FCN-SqueezeNet on PASCAL VOC, from ImageNet's weights and from scratch, as many steps, several seeds.

python tests/weights/pretraining.py --weights squeezenet_v1.1.npz --root VOCdevkit --iterations 1500 --out runs/pretraining

Each run is a `minifcn train` in a folder of its own, printed as it is called; what was stopped goes on, what is done is not
done again. Pretrained runs learn at the rate that suits fine-tuning, those from scratch at the one that suits them, and both
see the same crops of the same pictures in the same order. At the end stands a table: mean IU on the validation pictures at the
last step for each seed, what is gained, and the spread of the seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

MODEL = "fcn-squeezenet"
COMMON = (
    "--data", "voc", "--augment", "flip,scale:0.75-1.5,crop:224x224", "--batch-size", "8", "--optimizer", "adam",
    "--weight-decay", "0", "--bias-lr-factor", "1", "--schedule", "poly", "--clip-norm", "5",
)  # fmt: skip
RATES = {"pretrained": "2e-4", "scratch": "1e-3"}


def minifcn(*arguments: object) -> None:
    line = ["minifcn", *map(str, arguments)]
    print("$", " ".join(line), flush=True)
    subprocess.run([sys.executable, "-m", *line], check=True)


def train(kind: str, seed: int, given: argparse.Namespace) -> float:
    """One run, new, resumed or done before; its mean IU at the last step."""
    folder = given.out / f"{kind}-{seed}"
    if (folder / "last.safetensors").exists():
        minifcn("train", "--resume", folder)
    else:
        start = ("--init-from", given.out / "imported.safetensors", "--preprocessing", "squeezenet")
        arguments = (*COMMON, "--model", MODEL, "--root", given.root, "--iterations", given.iterations, "--seed", seed)
        arguments += ("--lr", RATES[kind], "--validate-every", max(1, given.iterations // 2))
        minifcn("train", *arguments, *(start if kind == "pretrained" else ()), "--out", folder)
    return json.loads((folder / "metrics.json").read_text())["last"]["mean_iu"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--weights", type=Path, required=True, help="ImageNet's weights of SqueezeNet 1.1, Caffe's or torchvision's"
    )
    parser.add_argument("--root", type=Path, required=True, help="VOCdevkit")
    parser.add_argument("--iterations", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/pretraining"))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    imported = ("--model", MODEL, "--out", given.out / "imported.safetensors")
    if not (given.out / "imported.safetensors").exists():
        minifcn("weights", "import", given.weights, *imported)
    found: dict[str, list[float]] = {kind: [] for kind in RATES}
    for seed in range(given.seeds):
        for kind, measured in found.items():
            measured.append(train(kind, seed, given))
    (given.out / "pretraining.json").write_text(json.dumps({"iterations": given.iterations, "mean_iu": found}, indent=1))
    report(found)


def report(found: dict[str, list[float]]) -> None:
    print(f"\n{'mean IU':12}" + "".join(f"seed {seed:<6}" for seed in range(len(found["scratch"]))) + "mean    spread")
    for kind, values in found.items():
        row = "".join(f"{value:<11.4f}" for value in values)
        print(f"{kind:12}{row}{statistics.mean(values):.4f}  {max(values) - min(values):.4f}")
    gain = statistics.mean(found["pretrained"]) - statistics.mean(found["scratch"])
    spread = max(max(values) - min(values) for values in found.values())
    verdict = "more" if gain > spread else "not more"
    print(f"pretraining gains {gain:+.4f}, {verdict} than the spread of the seeds, {spread:.4f}")


if __name__ == "__main__":
    main()
