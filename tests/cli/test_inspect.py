"""The commands that look: summary, coordinates, data, doctor, version, help."""

from __future__ import annotations

import pytest

from minifcn import __version__, data
from minifcn.cli import COMMANDS, GROUPS


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_every_command_has_help(minifcn, name):
    result = minifcn(name, "--help")
    assert result.status == 0
    assert "Usage: minifcn" in result.out
    if name in COMMANDS:
        assert "Example: minifcn" in result.out


def test_summary_adds_up(minifcn):
    result = minifcn("summary", "fcn8s", "--width", "0.03125", "--size", "65x81", "--padding", "1")
    assert result.status == 0, result.err
    assert "conv1_1" in result.out


def test_summary_measures_what_it_predicts(minifcn):
    result = minifcn("summary", "fcn8s", "--width", "0.125", "--size", "256x320", "--padding", "1", "--measure")
    assert result.status == 0, result.err
    words = result.out.split("measured: ")[1].replace(",", "").split()
    measured, predicted = float(words[0]), float(words[words.index("predicted") + 1])
    assert 0 < measured - predicted < 30  # MB that kernels take for themselves, which are not predicted


def test_summary_in_the_style_of_a_document(minifcn):
    result = minifcn("summary", "encoder-decoder", "--style", "seed-000")
    assert result.status == 0, result.err
    assert "UpSampling-48         [-1, 64, 112, 112]" in result.out
    assert "Forward/backward pass size (MB): 296.87" in result.out
    assert "seed-000 is a table of encoder-decoder, not of unet" in minifcn("summary", "unet", "--style", "seed-000").err
    assert "leave out --measure" in minifcn("summary", "encoder-decoder", "--style", "seed-000", "--measure").err
    assert "leave out" in minifcn("summary", "encoder-decoder", "--style", "seed-000", "--batch-size", 2).err
    assert "unknown style 'keras'; possible are seed-000" in minifcn("summary", "encoder-decoder", "--style", "keras").err


def test_a_style_takes_the_networks_options_and_no_others(minifcn):
    plain = minifcn("summary", "encoder-decoder", "--style", "seed-000").out
    assert minifcn("summary", "encoder-decoder", "--style", "seed-000", "--option", "in_channels=1").out != plain
    assert "width=0.0 must be positive" in minifcn("summary", "encoder-decoder", "--style", "seed-000", "--width", 0).err
    assert "takes no padding" in minifcn("summary", "encoder-decoder", "--style", "seed-000", "--padding", 3).err


@pytest.mark.parametrize("channels", [1, 4])
def test_pictures_have_as_many_channels_as_the_network_takes(minifcn, channels):
    options = ("unet", "--width", 1 / 16, "--size", "32x32", "--option", f"in_channels={channels}")
    assert f"Input: 1x{channels}x32x32" in minifcn("summary", *options).out
    assert "stride 1, offset 0" in minifcn("coordinates", *options).out
    style = ("encoder-decoder", "--style", "seed-000", "--option", f"in_channels={channels}")
    assert minifcn("summary", *style).status == 0


def test_coordinates_print_the_papers_crops(minifcn):
    result = minifcn("coordinates", "fcn8s")
    assert result.status == 0, result.err
    for crop in ("5", "9", "31"):
        assert f" {crop}" in result.out


def test_data_stats_counts_every_pixel(minifcn, shapes):
    result = minifcn("data", "stats", "shapes", "--root", shapes)
    assert result.status == 0, result.err
    assert "triangle" in result.out
    assert "void" in result.out


def test_data_check_says_when_all_is_well(minifcn, shapes):
    result = minifcn("data", "check", "shapes", "--root", shapes)
    assert result.status == 0, result.err
    assert "all pictures and masks can be used" in result.out


def test_data_check_says_what_is_missing_and_what_is_there_twice(minifcn, tmp_path):
    root = tmp_path / "shapes"
    data.build("shapes", root, "train", train=4, val=2, height=(40, 48), width=(48, 56))
    lists, masks = root / "ImageSets" / "Segmentation", root / "SegmentationClass"
    first, second, third, *_ = ids = (lists / "train.txt").read_text().split()
    (masks / f"{third}.png").unlink()
    (lists / "train.txt").write_text("\n".join([*ids, "lost", first, second]) + "\n")
    (lists / "val.txt").write_text(f"{second}\n")
    result = minifcn("data", "check", "shapes", "--root", root)
    assert result.status == 2, result.err
    said = " ".join(result.out.split())
    assert "train: 1 listed picture is missing: lost" in said
    assert f"train: 1 listed picture has no mask: {third}" in said
    assert f"train: listed more than once: {first}, {second}" in said
    assert f"share 1 picture: {second}" in said
    assert "under several names" not in said


def test_no_bar_is_drawn_for_a_data_set_that_cannot_be_downloaded(minifcn):
    result = minifcn("data", "download", "foo")
    assert (result.status, result.out) == (2, "")
    assert "'foo' cannot be downloaded; choose one of voc2012, voc2011, sbd" in result.err


def test_the_version_by_an_option_and_by_a_command(minifcn):
    for arguments in (["--version"], ["version"]):
        assert minifcn(*arguments) == (0, f"{__version__}\n", "")


def test_offsets_keep_their_sign(minifcn):
    result = minifcn("coordinates", "squeeze-unet")
    assert result.status == 0, result.err
    assert "pixels at 2·i − 1 " in result.out
    assert "+ -" not in result.out


def test_doctor_finds_this_machine_healthy(minifcn):
    result = minifcn("doctor")
    assert result.status == 0, result.out
    assert "NumPy" in result.out


def test_sizes_are_checked(minifcn):
    result = minifcn("summary", "fcn8s", "--size", "large")
    assert result.status == 2
    assert "height x width" in result.err
