"""A run on the disk: its folder, its state and checkpoints, its pictures, and its progress on the way."""
