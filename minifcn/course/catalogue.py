"""The course: its lessons in order, and where their files are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import minifcn


@dataclass(frozen=True)
class Lesson:
    """One lesson: its place in the course, its file's name without suffix, about how long a reader takes, what it is about."""

    number: int
    name: str
    title: str
    minutes: int
    about: str

    @property
    def script(self) -> Path:
        """The lesson itself. Raises FileNotFoundError where it is not written yet."""
        path = lessons_folder() / f"{self.name}.py"
        if not path.is_file():
            raise FileNotFoundError(f"lesson {self.number:02} ({self.title}) is not written yet; {_there()}")
        return path

    @property
    def is_written(self) -> bool:
        return (lessons_folder() / f"{self.name}.py").is_file()


LESSONS = tuple(
    Lesson(number, f"{number:02}_{name}", title, minutes, about)
    for number, (name, title, minutes, about) in enumerate(
        [
            ("pixels_and_classes", "Pixels and classes", 45, "masks, void, class imbalance, two ways to measure"),
            ("convolution_by_hand", "Convolution by hand", 60, "one window, one number; size, stride, padding, channels"),
            ("loops_to_matrices", "From loops to matrices", 50, "im2col, memory, strips, Winograd"),
            ("backward_through_a_convolution", "Backward through a convolution", 75, "dx, dweight and dbias, first on paper"),
            ("a_check_that_can_fail", "A check that can fail", 45, "numeric gradients, and tests that would notice"),
            ("relu_pooling_unpooling", "ReLU, max-pool, unpooling", 40, "switches, ties, and upsampling that cannot learn"),
            ("batch_norm_and_first_weights", "Batch norm and initialisation", 60, "three routes to dx; signals that vanish"),
            ("softmax_cross_entropy", "Softmax cross-entropy with void", 50, "a pixel's loss, and that of one nobody labelled"),
            ("fully_convolutional", "From classifier to fully convolutional", 45, "fc layers become convolutions"),
            ("deconvolution", "Deconvolution", 75, "zeros, then a convolution: upsampling that learns"),
            ("skips_and_coordinates", "Skips and coordinates", 60, "32s, 16s, 8s; crops derived, not guessed"),
            ("measuring", "Measuring", 40, "the confusion matrix and what is read from it"),
            ("training", "Training a full FCN", 60, "the loop, the optimizers, reading a curve"),
            ("data", "Data", 45, "augmentation, nearest labels, padding with void"),
            ("standing_on_shoulders", "Standing on shoulders", 45, "pretrained weights, fine-tuning in stages"),
            ("unet_recurrence_atrous", "U-Net, recurrence, atrous", 60, "other roads back to full size"),
            ("on_the_gpu", "On the GPU", 45, "the same line on CuPy; a kernel in CUDA C"),
            ("the_clinic", "The clinic", 90, "ten networks that train but are wrong"),
        ],
        start=1,
    )
)


def lesson(number: int) -> Lesson:
    """Lesson `number`. Raises ValueError where the course has no such lesson."""
    if not 1 <= number <= len(LESSONS):
        raise ValueError(f"there is no lesson {number}; the course has lessons 1 to {len(LESSONS)}")
    return LESSONS[number - 1]


def written() -> list[Lesson]:
    """The lessons whose files are there."""
    return [one for one in LESSONS if one.is_written]


def lessons_folder() -> Path:
    """Where the lessons are: beside the package in a checkout, inside it in an installed wheel (the scripts alone).

    Raises FileNotFoundError where they are in neither place.
    """
    package = Path(minifcn.__file__).resolve().parent
    for folder in (package / "lessons", package.parent / "lessons"):
        if (folder / f"{LESSONS[1].name}.py").is_file():
            return folder
    raise FileNotFoundError(
        f"the lessons are not installed with this copy of minifcn ({package}); they are the folder lessons/ of its source: "
        "get the source and install it from there with `pip install -e .`"
    )


def are_installed() -> bool:
    """Whether the lessons are a part of an installed package, where nothing is to be written."""
    return lessons_folder().parent == Path(minifcn.__file__).resolve().parent


def _there() -> str:
    return "there are lessons " + ", ".join(f"{one.number:02}" for one in written())
