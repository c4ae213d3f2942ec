"""Lesson 01: for each claim a change of the script that makes it false, (claim, text, replacement)."""

from __future__ import annotations

CLAIMS = [
    ("a mask has one label a pixel", "image, labels = draw(options, 12)", "labels, image = draw(options, 12)"),
    ("picture 12 has no circle", "present = np.unique(labels).tolist()", "present = np.unique(labels % 4).tolist()"),
    (
        "semantic labels hide the second square",
        "scene, semantic = draw(options, 21)",
        "scene, semantic = draw(options, 21)\nsemantic[:5, :5] = 3",
    ),
    ("instances are three objects", "instances = np.where(semantic == VOID, 0, semantic)", "instances = semantic % 200"),
    ("squares that touch become a blob", "blob = np.where(touching > 0, 2, 0)", "blob = touching"),
    ("mode P holds labels", "as_labels = np.asarray(stored)", 'as_labels = np.asarray(stored.convert("L"))'),
    ("red loses square and star", "by_red = as_colours[..., 0]", "by_red = as_colours[..., 1]"),
    ("the third picture is what they get", "np.where(labels == VOID, VOID, np.where", "np.where(labels == 2, VOID, np.where"),
    ("colours that are mixed are refused", "Image.Resampling.BILINEAR)", "Image.Resampling.NEAREST)"),
    ("void is a tenth", "void = labels == VOID", "void = labels == 0"),
    ("two thirds are background", "masks = [draw(ShapesOptions(), index)", "masks = [draw(ShapesOptions(void=9), index)"),
    ("lazy accuracy is the share of the background", "(guess == mask) & (mask != VOID)", "(guess == mask % 255)"),
    ("the union counts both once", "(truth | prediction).sum())", "truth.sum() + prediction.sum())"),
    ("lazy mean IU is a fifth of its accuracy", "lazy_matrix = marked(lazy)", "lazy_matrix = marked(masks)"),
    ("the floor on VOC is 3.5 %", "floor = background_of_voc / len(VOC_CLASSES)", "floor = background_of_voc / 2"),
    ("too fat misses nothing", "return np.where(shapes > 0, shapes, np.asarray(grown))", "return np.asarray(grown)"),
    ("the measures disagree", "def too_fat(mask, pixels=10):", "def too_fat(mask, pixels=3):"),
    ("void as background spoils a perfect answer", "[np.where(mask == VOID, 0, mask) for mask", "[mask for mask"),
    ("a class on void alone has no IU", "only_on_void], [labels])", "np.ones_like(labels)], [labels])"),
    ("no star, no 0.8", "no_star = marked([np.where(guess == 4, 0, guess)", "no_star = marked([np.where(guess == 9, 0, guess)"),
    ("absent as 1 flatters the lazy", "np.nan_to_num(lazy_12, nan=1)", "np.nan_to_num(lazy_12, nan=0)"),
]
