"""The embedded data set: coloured shapes on busy grounds, drawn from a seed and written in VOC's own layout.

Small enough to learn in a minute on a CPU, and with everything that makes segmentation segmentation: an unbalanced
background, several objects that hide each other, pictures of different sizes, void borders. With the usual `hue_overlap` of
0.1 each class has colours of its own, and a small network looks at nothing else (lesson 13); above 1/7 neighbouring classes
begin to share colours, and at 1 only the shape is left to look at.

    root/JPEGImages/shapes_0001.jpg  root/SegmentationClass/shapes_0001.png  root/ImageSets/Segmentation/train.txt ...
"""

from __future__ import annotations

import colorsys
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from minifcn.data.palette import VOID, make_palette, save_mask
from minifcn.data.voc import VOCSegmentation
from minifcn.safe_file import put_folder

SHAPES_CLASSES = ("background", "circle", "square", "triangle", "star")
# For looking at: light colours on black, each lighter than the one before, so that they differ in grey as well; void is the
# darkest. (In VOC's palette a star would be navy on black, a contrast of 1.3 to 1.)
_LIGHTS = [(0, 0, 0), (47, 134, 214), (242, 142, 43), (160, 215, 105), (255, 233, 150)]
SHAPES_PALETTE = make_palette(_LIGHTS, void=(100, 100, 100))
_SMOOTH = 4  # shapes are drawn this many times larger, then averaged


@dataclass(frozen=True)
class ShapesOptions:
    """How many pictures, and how hard they are. Lengths are in pixels, ranges are (least, most)."""

    train: int = 600
    val: int = 100
    seed: int = 0
    height: tuple[int, int] = (56, 72)
    width: tuple[int, int] = (72, 96)
    objects: tuple[int, int] = (1, 3)
    size: tuple[int, int] = (30, 46)  # about the diameter of an object
    turn: float = 20.0  # degrees by which an object leans to either side; 180: any way up
    void: int = 1  # unlabelled pixels to either side of an outline
    hue_overlap: float = 0.1  # 0: each class has its own colours; 1: colour tells nothing
    clutter: float = 0.5  # strength of the grounds' and the objects' patterns
    noise: float = 6.0  # standard deviation of a pixel, of 255

    def __post_init__(self) -> None:
        for name in ("height", "width", "objects", "size"):
            low, high = getattr(self, name)
            if not 1 <= low <= high:
                raise ValueError(f"shapes: {name}={(low, high)} is not possible; choose (least, most) with 1 <= least")
            object.__setattr__(self, name, (int(low), int(high)))  # JSON knows no tuples
        if min(self.train, self.val) < 1 or min(self.void, self.noise, self.clutter) < 0:
            raise ValueError("shapes: train and val are at least 1; void, noise and clutter are 0 or more")
        if not 0 <= self.hue_overlap <= 1:
            raise ValueError(f"shapes: hue_overlap={self.hue_overlap} is not possible; choose 0 to 1")


class ShapesSegmentation(VOCSegmentation):
    """A split of the shapes in `root`, which are drawn there when it is empty or not there yet.

    `options` are those of `ShapesOptions`. Raises ValueError where `root` holds something else, or shapes that were
    drawn with other options than those given.
    """

    def __init__(self, root: str | Path = "data/shapes", split: str = "train", *, missing: str = "error", **options: Any):
        root = Path(root).expanduser()
        notes = []
        if not (root / "shapes.json").exists():
            try:
                write(root, ShapesOptions(**options))
            except ValueError:
                if not (root / "shapes.json").exists():  # else another process has just drawn them
                    raise
            notes.append(f"the pictures were drawn into {root}")
        drawn = json.loads((root / "shapes.json").read_text(encoding="utf-8"))
        if options and ShapesOptions(**options) != ShapesOptions(**drawn):
            raise ValueError(f"{root} holds shapes drawn with other options ({drawn}); choose another folder or remove it")
        super().__init__(root, split, missing=missing, classes=SHAPES_CLASSES)
        self.notes += notes


def write(root: str | Path, options: ShapesOptions | None = None) -> None:
    """Draws the whole set into `root`, all of it or nothing; of processes that do so at once the first is kept.

    Raises ValueError where `root` is not empty.
    """
    root, options = Path(root), options or ShapesOptions()
    if root.exists() and any(root.iterdir()):
        raise ValueError(f"{root} is not empty and holds no shapes; choose a new folder for them")
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".drawing-", dir=root.parent))
    try:
        _write_all(temporary, options)
        put_folder(temporary, root)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(root)) from error  # a full disk does not say which
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_all(root: Path, options: ShapesOptions) -> None:
    lists = root / "ImageSets" / "Segmentation"
    for folder in (root / "JPEGImages", root / "SegmentationClass", lists):
        folder.mkdir(parents=True)
    ids = [f"shapes_{index:04d}" for index in range(1, options.train + options.val + 1)]
    for index, id in enumerate(ids):
        image, label = draw(options, index)
        Image.fromarray(image).save(root / "JPEGImages" / f"{id}.jpg", quality=95, subsampling=0)
        save_mask(root / "SegmentationClass" / f"{id}.png", label)
    for split, part in (("train", ids[: options.train]), ("val", ids[options.train :]), ("trainval", ids)):
        (lists / f"{split}.txt").write_text("\n".join(part) + "\n", encoding="utf-8")
    (root / "shapes.json").write_text(json.dumps(asdict(options), indent=1) + "\n", encoding="utf-8")


def draw(options: ShapesOptions, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Picture `index` of the set: (H, W, 3) uint8 and labels (H, W) uint8. The same options give the same picture."""
    rng = np.random.default_rng((options.seed, index))
    H, W = _within(rng, options.height), _within(rng, options.width)
    picture = _ground(rng, H, W, options.clutter)
    label = np.zeros((H, W), np.uint8)
    centres: list[tuple[float, float, float]] = []
    for _ in range(_within(rng, options.objects)):
        size = _within(rng, options.size)
        y, x = _place(rng, H, W, size, centres)
        centres.append((y, x, size))
        kind = int(rng.integers(1, len(SHAPES_CLASSES)))
        cover = _cover(SHAPES_CLASSES[kind], rng.uniform(-options.turn, options.turn), H, W, y, x, size)
        picture = _paint(picture, cover, _surface(rng, kind, H, W, y, x, size, options))
        inside, touched = _shrunk(cover, options.void), _grown(cover, options.void)
        label[touched] = VOID
        label[inside] = kind
    picture += rng.normal(0, options.noise, picture.shape)
    return picture.round().clip(0, 255).astype(np.uint8), label


def _within(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    return int(rng.integers(*limits, endpoint=True))


def _place(
    rng: np.random.Generator, H: int, W: int, size: int, others: list[tuple[float, float, float]]
) -> tuple[float, float]:
    """A centre (y, x): of a dozen tries, the first that hides no other object's middle, else the least bad."""
    best, best_gap = (H / 2, W / 2), -np.inf
    for _ in range(12):
        y, x = (rng.uniform(min(0.45 * size, side / 2), max(side - 0.45 * size, side / 2)) for side in (H, W))
        gap = min((np.hypot(y - v, x - u) / (size + other) for v, u, other in others), default=1.0)
        if gap > best_gap:
            best, best_gap = (y, x), gap
        if gap > 0.42:
            break
    return best


def _cover(name: str, turn: float, H: int, W: int, y: float, x: float, size: int) -> np.ndarray:
    """How much of each pixel the shape covers, (H, W) float32 in 0 .. 1; `turn` in degrees."""
    canvas = Image.new("L", (W * _SMOOTH, H * _SMOOTH))
    pen = ImageDraw.Draw(canvas)
    if name == "circle":
        r = 0.48 * size
        pen.ellipse([(v * _SMOOTH) for v in (x - r, y - r, x + r, y + r)], fill=255)
    else:
        # the first corner's direction, clockwise from the right, and the radii in turns: a star's go out and in
        first, radii = {"square": (45, [0.60] * 4), "triangle": (-90, [0.66] * 3), "star": (-90, [0.66, 0.30] * 5)}[name]
        angles = np.radians(first + turn + 360 / len(radii) * np.arange(len(radii)))
        corners = [(x + size * r * np.cos(a), y + size * r * np.sin(a)) for r, a in zip(radii, angles, strict=True)]
        pen.polygon([(u * _SMOOTH, v * _SMOOTH) for u, v in corners], fill=255)
    return np.asarray(canvas.resize((W, H), Image.Resampling.BOX), np.float32) / 255


def _grown(cover: np.ndarray, by: int) -> np.ndarray:
    """The shape's pixels and those up to `by` from them, (H, W) bool."""
    mask = Image.fromarray((cover >= 0.5).astype(np.uint8))
    return np.asarray(mask.filter(ImageFilter.MaxFilter(2 * by + 1)), bool)


def _shrunk(cover: np.ndarray, by: int) -> np.ndarray:
    """The shape's pixels more than `by` from others, (H, W) bool; the picture's edge is no outline."""
    mask = Image.fromarray((cover >= 0.5).astype(np.uint8))
    return np.asarray(mask.filter(ImageFilter.MinFilter(2 * by + 1)), bool)


def _colour(hue: float, saturation: float, value: float) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)  # (3,)


def _ramp(rng: np.random.Generator, H: int, W: int) -> np.ndarray:
    """From 0 at one side of the picture to 1 at another, (H, W)."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:H, :W].astype(np.float32)
    ramp = np.cos(angle) * x + np.sin(angle) * y
    return (ramp - ramp.min()) / np.ptp(ramp)


def _pattern(rng: np.random.Generator, H: int, W: int) -> np.ndarray:
    """Clouds, stripes, checks or dots, (H, W) in -1 .. 1."""
    kind, angle, period = rng.integers(4), rng.uniform(0, np.pi), rng.uniform(5, 12)
    if kind == 0:
        coarse = Image.fromarray(rng.uniform(-1, 1, (H // 8 + 2, W // 8 + 2)).astype(np.float32))
        return np.asarray(coarse.resize((W, H), Image.Resampling.BICUBIC))
    y, x = np.mgrid[:H, :W].astype(np.float32) * (2 * np.pi / period)
    u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    waves = {1: np.sin(u), 2: np.sin(u) * np.sin(v), 3: np.cos(u) + np.cos(v) - 1}[int(kind)]
    return np.tanh(3 * waves)  # soft-edged


def _ground(rng: np.random.Generator, H: int, W: int, clutter: float) -> np.ndarray:
    """A background, (H, W, 3) float32: two pale colours that run into each other, under a pattern."""
    hue = rng.uniform()
    one = _colour(hue, rng.uniform(0.1, 0.4), rng.uniform(0.45, 0.95))
    two = _colour(hue + rng.uniform(-0.2, 0.2), rng.uniform(0.1, 0.45), rng.uniform(0.35, 0.9))
    ramp = _ramp(rng, H, W)[..., None]
    return one + (two - one) * ramp + 40 * clutter * _pattern(rng, H, W)[..., None]


def _surface(
    rng: np.random.Generator, kind: int, H: int, W: int, y: float, x: float, size: int, options: ShapesOptions
) -> np.ndarray:
    """The colours of an object, (H, W, 3) float32: its class's hue, more or less, lit from one side, maybe patterned."""
    kinds = len(SHAPES_CLASSES) - 1
    # without overlap a class has the middle half of its share of the colour circle, with full overlap the whole circle
    spread = (1 - options.hue_overlap) * 0.5 / kinds + options.hue_overlap
    hue = (kind - 1) / kinds + spread * rng.uniform(-0.5, 0.5)
    base = _colour(hue, rng.uniform(0.65, 0.95), rng.uniform(0.7, 1.0))
    rows, columns = np.mgrid[:H, :W].astype(np.float32)
    light = 1 - 0.35 * ((columns - x) + (rows - y)) / size  # from the top left
    if rng.random() < 0.5:
        light = light + 0.35 * options.clutter * _pattern(rng, H, W)
    return base * light[..., None]


def _paint(picture: np.ndarray, cover: np.ndarray, surface: np.ndarray) -> np.ndarray:
    """The object over the picture, with a soft shadow to its lower right."""
    moved = np.zeros(cover.shape, np.uint8)
    moved[2:, 2:] = 255 * cover[:-2, :-2]
    shadow = np.asarray(Image.fromarray(moved).filter(ImageFilter.BoxBlur(2)), np.float32)[..., None] / 255
    cover = cover[..., None]  # (H, W, 1), as shadow
    return picture * (1 - 0.4 * shadow) * (1 - cover) + surface * cover
