"""Text from outside in pictures: dollars, scripts, characters that are none; and fonts that have them."""

from __future__ import annotations

import logging
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from minifcn import visualize as vis
from minifcn.data.palette import VOC_PALETTE
from minifcn.visualize import board, confusion, curves, letters, style
from minifcn.visualize.mpl import Text, TextPath, font_manager

NAMES = (
    "a$b$c", r"$\frac$", "$", "$$", r"\$x\$ $y$", "100% #1_{2}^3", "猫", "кошка", "قطة", "cat 🐈", "caf\udce9", "a\nb\tc",
    "\x07\x00", "x" * 3000, "_hidden", " ", "grass [dry]", "\u202eback", "e\u0301",
)  # fmt: skip


@pytest.fixture
def lacking():
    """No font but matplotlib's own is installed; what the process had found before is forgotten."""
    for cache in (letters._helpers, letters._tell):
        cache.cache_clear()
    yield
    for cache in (letters._helpers, letters._tell):
        cache.cache_clear()


@pytest.fixture
def no_other_font(monkeypatch, lacking):
    monkeypatch.setattr(
        font_manager.fontManager, "ttflist", [f for f in font_manager.fontManager.ttflist if "DejaVu" in f.name]
    )


@pytest.fixture
def font_of_cats(monkeypatch, lacking, tmp_path):
    """A font that has the one character that DejaVu Sans lacks here: its own, called otherwise, with the maps exchanged."""
    entry = next(font for font in font_manager.fontManager.ttflist if font.name == "DejaVu Serif")
    copy = Path(shutil.copy(entry.fname, tmp_path / "cats.ttf"))
    look = {"style": "normal", "variant": "normal", "weight": 400, "stretch": "normal", "size": "scalable"}
    cats = font_manager.FontEntry(fname=str(copy), name="Cats", **look)
    known = letters._characters

    def characters(file):
        return known(entry.fname) | {ord("猫")} if file == str(copy) else known(file) - {ord("猫")}

    monkeypatch.setattr(letters, "_characters", characters)
    monkeypatch.setattr(font_manager.fontManager, "ttflist", [cats])
    return copy


def drawings(name: str, path) -> dict:
    """Everything in which a name from outside is drawn."""
    picture, labels = np.zeros((20, 30, 3), np.uint8), np.full((20, 30), 1, np.uint8)
    rows = [{"iteration": i, "loss": 1.0, "lr": 0.1, "mean_iu": 0.5, "per_class_iu": {name: 0.5}} for i in (1, 2)]
    floor = dict.fromkeys(("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu"), 0.1)
    return {
        "confusion": lambda: vis.draw_confusion(np.eye(2), ("ground", name), path),
        "curves": lambda: vis.draw_curves({name: [row | {"floor_all_background": floor} for row in rows]}, path),
        "overlay": lambda: vis.overlay(picture, labels, VOC_PALETTE, ("ground", name)).save(path),
        "sheet": lambda: vis.sample_sheet([(picture, labels, labels)], VOC_PALETTE, ("ground", name), [name]).save(path),
        "labels": lambda: style.save(vis.draw_labels(picture, labels, ("ground", name), VOC_PALETTE), path),
        "palette": lambda: style.save(vis.draw_palette(("ground", name), VOC_PALETTE), path),
        "table": lambda: style.save(vis.draw_table(np.eye(2), name), path),
    }


@pytest.mark.parametrize("kind", drawings("", ""))
def test_any_name_is_drawn_without_a_warning(kind, tmp_path):
    for name in NAMES if kind not in ("labels", "palette", "table") else [name for name in NAMES if len(name) < 99]:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            drawings(name, tmp_path / "x.png")[kind]()
        with Image.open(tmp_path / "x.png") as image:
            assert image.size[0] > 50


@pytest.mark.parametrize("name", ["a$b$c", r"$\frac$", r"\$x\$", r"a\$b$c$"])
def test_a_dollar_begins_no_formula(name, tmp_path, monkeypatch):
    figures = []
    for module in (confusion, curves):
        monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure))
    drawings(name, tmp_path / "x.png")["confusion"]()
    drawings(name, tmp_path / "x.png")["curves"]()
    for figure in figures:
        texts = [text for text in figure.findobj(Text) if "$" in text.get_text()]
        assert texts
        assert {text._preprocess_math(text.get_text()) for text in texts} <= {(name, False), (f"all {name}", False)}


def test_a_dollar_on_a_board_is_an_outline_of_its_own(monkeypatch):
    asked = []
    monkeypatch.setattr(board, "TextPath", lambda xy, s, **options: asked.append(s) or TextPath(xy, s, **options))
    board._outline.cache_clear()
    wide, narrow = (board._outline(line, "normal")[1] for line in ("$a$", "a"))
    assert wide > 2 * narrow
    assert r"\$a\$" in asked


def test_a_run_with_an_underscore_is_in_the_legend(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(curves, "save", lambda figure, path: figures.append(figure))
    rows = [{"iteration": 1, "validation_loss": 1.0}]
    vis.draw_curves({"_old": rows, "new": rows}, tmp_path / "x.png")
    assert [text.get_text().strip() for text in figures[0].legends[0].get_texts()] == ["_old", "new"]


def test_what_no_font_has_is_said_once_and_numbered(no_other_font, caplog, tmp_path):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert letters.class_names(["ground", "猫", "катя", "犬🐈x"]) == ["ground", "1 ?", "катя", "3 ??x"]
            vis.draw_confusion(np.eye(2), ("ground", "猫"), tmp_path / "x.png")
    assert [message.split(":")[0] for message in caplog.messages].count("no installed font has 猫") == 1
    assert all("\n" not in message and "install a font" in message for message in caplog.messages)


def test_a_font_that_is_installed_is_found(font_of_cats, caplog):
    assert letters.class_names(["ground", "猫 cat"]) == ["ground", "猫 cat"]
    assert letters.families("猫 cat") == ["DejaVu Sans", "Cats"]
    assert letters.families("plain") == ["DejaVu Sans"]
    text, font = letters.pillow_font("猫 cat", 13)
    assert (text, font.path) == ("猫 cat", str(font_of_cats))
    assert caplog.messages == []


def test_plain_letters_need_no_matplotlib_and_look_as_ever():
    text, font = letters.pillow_font("void", 13)
    assert text == "void"
    assert font.getname() == ImageFont.load_default(13).getname()


def test_a_font_that_cannot_be_read_is_passed_by(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    assert letters._characters(str(tmp_path / "broken.ttf")) == frozenset()
    assert letters._characters(str(tmp_path / "gone.ttf")) == frozenset()
