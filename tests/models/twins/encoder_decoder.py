"""The encoder-decoder on VGG16 in PyTorch: the twin that is timed, too."""

from __future__ import annotations

from minifcn.bench.twins.encoder_decoder import EncoderDecoder as Twin

__all__ = ["OPTIONS", "SIZES", "Twin"]

OPTIONS = [{}, {"skips": True}]
SIZES = [(32, 32), (33, 47), (64, 35)]
