"""``python -m minifcn`` is the ``minifcn`` command."""

from minifcn.cli import main

if __name__ == "__main__":
    main()
