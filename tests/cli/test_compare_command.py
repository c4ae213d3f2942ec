"""`minifcn compare`: what two runs measured, said once more and side by side; what cannot be compared is named."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pytest

from minifcn import compare, training
from minifcn.compare import records
from minifcn.compare.report import confusion_pairs
from minifcn.training import ConfusionMatrix, RunFolder
from minifcn.visualize import style

from .conftest import NARROW


@pytest.fixture(scope="module")
def runs(finished, shapes, tmp_path_factory):
    """A folder with two runs: `first`, FCN-8s, and `<b>`, an FCN-32s whose name is no markup."""
    from minifcn import cli

    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(finished, folder / "first")
    line = ["train", "--model", "fcn32s", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 4, "--samples", 0]
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(map(str, [*line, "--validate-every", 2, "--log-every", 1, "--out", folder / "<b>"])))
    assert not leaving.value.code
    return folder


@pytest.fixture(scope="module")
def compared(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    found, left_out = compare.read_all([runs / "first", runs / "<b>"])
    assert left_out == []
    compare.write_page(found, left_out, out, compare.Story("Two runs"))
    return out


def test_numbers_are_those_of_the_runs(minifcn, runs, tmp_path):
    result = minifcn("compare", runs / "first", runs / "<b>", "--out", tmp_path / "out")
    assert result.status == 0, result.err
    table = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for line in result.out.splitlines() if
             len(cells := line.strip("│┃|").split("│")) == 3}  # fmt: skip
    metrics = [json.loads((runs / name / "metrics.json").read_text()) for name in ("first", "<b>")]
    assert table["best mean IU"] == [f"{one['best']['mean_iu']:.4f}" for one in metrics]
    assert table["final loss"] == [f"{one['last']['validation_loss']:.4f}" for one in metrics]
    assert table["Jaccard, weighted"] == [f"{one['best']['jaccard_weighted']:.4f}" for one in metrics]
    sizes = [sum(p.size for p in training.load_model(runs / name)[0].parameters()) for name in ("first", "<b>")]
    assert table["parameters"] == [f"{size:,}" for size in sizes]
    stored = json.loads((tmp_path / "out" / "compare.json").read_text())["runs"]
    assert [stored[name]["parameters"] for name in ("first", "<b>")] == sizes
    assert stored["first"]["settings"]["model"] == "fcn8s"


def test_training_is_measured_too(runs):
    rows = [row for row in RunFolder(runs / "<b>").read_log() if row["event"] == "train"]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4]
    assert all(0 <= row["train_mean_iu"] <= row["train_pixel_accuracy"] <= 1 for row in rows)
    assert "train_pixel_accuracy" in (runs / "<b>" / "log.csv").read_text().splitlines()[0]


def test_what_the_best_validation_made_of_each_picture(runs):
    for name in ("first", "<b>"):
        folder = RunFolder(runs / name)
        pictures, best = folder.read_pictures(), json.loads(folder.metrics.read_text())["best"]
        assert len(pictures) == 4
        mean = sum(measures["mean_iu"] for measures in pictures.values()) / 4
        assert mean == pytest.approx(best["jaccard"], abs=1e-5)


def test_convergence_is_the_first_validation_near_the_best():
    rows = [{"event": "validation", "iteration": i, "mean_iu": iu, "seconds": 2.0 * i} for i, iu in
            ((1, 0.1), (2, 0.449), (3, 0.45), (4, 0.5), (5, 0.3))]  # fmt: skip
    record = records.Record("a", None, {}, rows, {"classes": []}, {})
    assert (record.best["iteration"], record.last["iteration"], record.near_best["iteration"]) == (4, 5, 3)


def test_the_page_is_whole_and_escapes_names(compared):
    page = (compared / "compare.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<th><b></th>" not in page
    assert not re.search(r"(src|href)=\"(?!data:)", page)
    assert "<script" not in page
    assert page.count("<figure>") == 4 * (2 + 2)  # picture, truth and two predictions of each of the four
    assert page.count('alt="feature maps of') == 2
    for part in ("What differs between the runs", "Best and worst pictures", "the IU of each class over the iterations"):
        assert part in page


def test_a_second_call_computes_nothing(runs, compared, monkeypatch):
    def never(*arguments, **options):
        raise AssertionError("predicted again")

    before = (compared / "compare.html").read_bytes()
    monkeypatch.setattr(training, "predict", never)
    found, left_out = compare.read_all([runs / "first", runs / "<b>"])
    compare.write_page(found, left_out, compared, compare.Story("Two runs"))
    assert (compared / "compare.html").read_bytes() == before


def test_another_checkpoint_is_looked_at_anew(runs, compared, tmp_path, monkeypatch):
    """What is kept belongs to the content of a checkpoint, not to its folder."""
    shutil.copytree(runs / "first", tmp_path / "first")
    shutil.copy(runs / "first" / "last.safetensors", tmp_path / "first" / "best.safetensors")
    with open(tmp_path / "first" / "best.safetensors", "r+b") as file:
        file.seek(-4, 2)
        file.write(b"\x00\x00\x00\x01")
    asked = []
    monkeypatch.setattr(training, "predict", lambda net, image, *_: asked.append(1) or image[..., 0] * 0)
    found, left_out = compare.read_all([tmp_path / "first"])
    compare.write_page(found, left_out, compared, compare.Story("Two runs"))
    assert len(asked) == 4


def test_runs_that_are_none_are_named(minifcn, runs, tmp_path):
    shutil.copytree(runs / "first", tmp_path / "unvalidated")
    folder = RunFolder(tmp_path / "unvalidated")
    kept = [line for line in folder.log_jsonl.read_text().splitlines() if '"validation"' not in line]
    folder.log_jsonl.write_text("\n".join(kept) + "\n")
    shutil.copytree(runs / "first", tmp_path / "damaged")
    (tmp_path / "damaged" / "best.safetensors").write_bytes(b"junk")
    shutil.copytree(runs / "first", tmp_path / "torn")
    (tmp_path / "torn" / "pictures.json").write_text('{"pictures": [1')
    others = [tmp_path / name for name in ("unvalidated", "damaged", "torn", "nothing")]
    result = minifcn("compare", runs / "first", *others, "--out", tmp_path / "out")
    assert result.status == 0
    for name, reason in (("unvalidated", "it was never validated"), ("damaged", "best.safetensors"), ("torn", "is damaged"),
                         ("nothing", "there is no such folder")):  # fmt: skip
        assert re.search(rf"{name} is left out: .*{reason}", result.out)
    refused = minifcn("compare", *others, "--out", tmp_path / "none")
    assert refused.status == 2
    assert refused.err.startswith("minifcn: there is no run to compare (")
    assert refused.err.count("\n") == 1
    assert not (tmp_path / "none").exists()


def test_other_pictures_and_lost_pictures_are_said(minifcn, runs, shapes, tmp_path):
    line = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 1, "--samples", 0, "--validate-on", 2]
    assert minifcn(*line, "--out", tmp_path / "few").status == 0
    result = minifcn("compare", runs / "first", tmp_path / "few", runs / "<b>", "--out", tmp_path / "out")
    assert "validated on different pictures or classes, so their measures do not compare: first, <b>; few" in result.out
    shutil.copytree(runs / "first", tmp_path / "moved")
    config = tmp_path / "moved" / "config.toml"
    config.write_text(config.read_text().replace(str(shapes), str(tmp_path / "gone")))
    result = minifcn("compare", tmp_path / "moved", "--out", tmp_path / "lost")
    assert result.status == 0
    assert "are not there, so nothing is predicted" in result.out
    assert (tmp_path / "lost" / "compare.html").is_file()


HANGING = """[...document.querySelectorAll('body *')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible')
    .map(e => e.outerHTML.slice(0, 80))"""
# Every piece of text, with its colour and that of the ground it stands on, as [text, [r, g, b], [r, g, b]].
INKS = """(() => {
    const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
    const ground = e => {
        for (; e; e = e.parentElement) {
            const [r, g, b, alpha = 1] = numbers(getComputedStyle(e).backgroundColor);
            if (alpha) return [r, g, b];
        }
        return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement, text = walker.currentNode.data.trim();
        if (text) found.push([text.slice(0, 40), numbers(getComputedStyle(element).color).slice(0, 3), ground(element)]);
    }
    return found;
})()"""


@pytest.fixture(scope="module")
def screenshots(root):
    folder = root / "build" / "compare"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_hangs_over_the_edge_and_all_can_be_read(compared, browser, width, scheme, screenshots):
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto((compared / "compare.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(HANGING) == []
    assert too_faint(page.evaluate(INKS)) == []
    page.screenshot(path=screenshots / f"{width}_{scheme}.png", full_page=True)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_printed_it_fits_the_paper(compared, browser, scheme, screenshots):
    """A4 with margins of 1 cm is 718 pixels wide; paper is white, whatever the screen is."""
    page = browser.new_page(viewport={"width": 718, "height": 1047}, color_scheme=scheme)
    page.goto((compared / "compare.html").as_uri())
    page.emulate_media(media="print", color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 718
    assert page.evaluate(HANGING) == []
    inks = page.evaluate(INKS)
    assert too_faint(inks) == []
    assert all(min(ground) > 200 for _, _, ground in inks)
    page.screenshot(path=screenshots / f"printed_{scheme}.png", full_page=True)
    page.pdf(path=screenshots / f"printed_{scheme}.pdf", format="A4", print_background=True)
    page.close()


def too_faint(inks):
    """The texts whose contrast is below the 4.5 that WCAG asks for."""
    assert len(inks) > 50
    return [text for text, ink, ground in inks if style.contrast([c / 255 for c in ink], [c / 255 for c in ground]) < 4.5]


@pytest.fixture(scope="module")
def report(runs, tmp_path_factory):
    from minifcn import cli

    out = tmp_path_factory.mktemp("report")
    with pytest.raises(SystemExit) as leaving:
        cli.main(["evaluate", str(runs / "<b>"), "--report", "--out", str(out)])
    assert not leaving.value.code
    return out


def test_a_report_says_what_is_wrong_where(report):
    page, measured = (report / "report.html").read_text(), json.loads((report / "evaluation.json").read_text())
    assert f"<td>{measured['mean_iu']:.4f}</td>" in page
    assert page.count("<figure>") == 4 * 4  # four pictures: each is among the best or the worst once
    counts = np.array(measured["confusion"])
    wrong = counts - np.diag(np.diag(counts))
    assert f"<td>{wrong.max():,}</td>" in page.replace("\n", "")
    assert "at most 16 px from an outline" in page


def test_pairs_of_classes_come_by_their_pixels():
    matrix = ConfusionMatrix(3, counts=np.array([[5, 0, 2], [9, 1, 0], [0, 3, 0]]))
    assert confusion_pairs(matrix, "abc") == [("b", "a", 9, 0.9), ("c", "b", 3, 1.0), ("a", "c", 2, 2 / 7)]


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_hangs_over_a_reports_edge(report, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    page.goto((report / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
