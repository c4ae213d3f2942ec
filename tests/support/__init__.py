"""What test files share: `pythonpath` in pyproject.toml makes it importable, as in `from support import strict_cupy`."""
