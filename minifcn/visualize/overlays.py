"""Labels as colours: over their picture, with a legend, and in rows beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from minifcn.data.palette import VOID
from minifcn.visualize.letters import class_names, pillow_font, plain

_MARGIN = 10  # pixels around everything
_INK = (20, 20, 20)


def blend(
    image: np.ndarray, labels: np.ndarray, palette: np.ndarray, alpha: float = 0.6, bare: Sequence[int] = (0, VOID)
) -> np.ndarray:
    """The labels' colours over the picture (H, W, 3) uint8, with weight `alpha`.

    The labels in `bare` (background and void) show the picture as it is. The borders between labels are white on dark
    grey, so that labels can be told apart where the colours cannot.
    """
    if image.shape != (*labels.shape, 3):
        raise ValueError(f"the picture has shape {image.shape} and the labels {labels.shape}; they must be of one size")
    seen = ~np.isin(labels, bare)[..., None]  # (H, W, 1)
    mixed = np.round((1 - alpha) * image + alpha * palette[labels]).astype(np.uint8)  # (H, W, 3)
    mixed = np.where(seen, mixed, image)
    border = borders(labels)
    mixed[_grown(border) & ~border] = (60, 60, 60)
    mixed[border] = 255
    return mixed


def borders(labels: np.ndarray) -> np.ndarray:
    """True (H, W) where the label to the right or below is another one."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


def overlay(image: np.ndarray, labels: np.ndarray, palette: np.ndarray, classes: Sequence[str]) -> Image.Image:
    """The blend with a legend of the classes in it below; a class 0 called background is not coloured."""
    bare = (0, VOID) if classes[0] == "background" else (VOID,)
    picture = Image.fromarray(blend(image, labels, palette, bare=bare))
    coloured = [label for label in _present([labels]) if label not in bare]
    return _stacked([picture, legend(coloured, palette, classes, max(picture.width, 160))])


def legend(labels: Sequence[int], palette: np.ndarray, classes: Sequence[str], width: int) -> Image.Image:
    """Coloured squares with names, in as many lines as the width needs."""
    names, box, line = class_names(classes), 14, 22
    places, x, y = [], 0, 4
    for label in labels:
        name, font = pillow_font("void" if label == VOID else names[label], 13)
        needed = box + 6 + int(font.getlength(name)) + 16
        if x and x + needed > width:
            x, y = 0, y + line
        places.append((x, y, label, name, font))
        x += needed
    drawn = Image.new("RGB", (width, y + line), "white")
    draw = ImageDraw.Draw(drawn)
    for x, y, label, name, font in places:
        draw.rectangle((x, y, x + box, y + box), fill=tuple(palette[label].tolist()), outline=_INK)
        draw.text((x + box + 6, y + box // 2), name, fill=_INK, font=font, anchor="lm")
    return drawn


def sample_sheet(
    samples: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
    palette: np.ndarray,
    classes: Sequence[str],
    titles: Sequence[str] = (),
    width: int = 300,
) -> Image.Image:
    """A row of picture, truth and prediction for each (image, label, prediction), a legend below.

    Each is shown `width` pixels wide; `titles` go above the rows.
    """
    if not samples:
        raise ValueError("a sheet of samples needs at least one sample")
    sheet_width = 3 * width + 2 * _MARGIN
    parts = [_words(("picture", "truth", "prediction"), width + _MARGIN, sheet_width, 15)]
    for row, (image, label, prediction) in enumerate(samples):
        if row < len(titles):
            parts.append(_words((titles[row],), sheet_width, sheet_width, 12))
        cells = [scaled(image, width), *(scaled(outlined(part, palette), width) for part in (label, prediction))]
        line = Image.new("RGB", (sheet_width, cells[0].height), "white")
        for column, cell in enumerate(cells):
            line.paste(cell, (column * (width + _MARGIN), 0))
        parts.append(line)
    present = _present([part for _, label, prediction in samples for part in (label, prediction)])
    return _stacked([*parts, legend(present, palette, classes, sheet_width)])


def _present(all_labels: Sequence[np.ndarray]) -> list[int]:
    return sorted({int(label) for labels in all_labels for label in np.unique(labels)})


def outlined(labels: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Labels as colours, with a white line between them; void is its own line."""
    colours = palette[labels]
    colours[borders(labels) & ~_grown(labels == VOID)] = 255
    return colours


def scaled(pixels: np.ndarray, width: int) -> Image.Image:
    """Pixels (H, W, 3) uint8 as a picture so many dots wide."""
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    enlarged = width > pixels.shape[1]  # then pixels stay squares
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.NEAREST if enlarged else Image.Resampling.BILINEAR)


def _words(words: Sequence[str], step: int, width: int, size: int) -> Image.Image:
    """A line of text, a word every `step` pixels."""
    line = Image.new("RGB", (width, size + 5), "white")
    for column, word in enumerate(words):
        word, font = pillow_font(plain(word), size)
        ImageDraw.Draw(line).text((column * step, 0), word, fill=_INK, font=font)
    return line


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below the other, with a margin around them."""
    width = max(part.width for part in parts)
    height = sum(part.height + _MARGIN // 2 for part in parts)
    page = Image.new("RGB", (width + 2 * _MARGIN, height + 2 * _MARGIN), "white")
    y = _MARGIN
    for part in parts:
        page.paste(part, (_MARGIN, y))
        y += part.height + _MARGIN // 2
    return page


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and the four neighbours of its pixels."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
