"""``python -m apps``: the ``multicam`` command."""

from apps.cli import main

main()
