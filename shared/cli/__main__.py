"""``python -m shared.cli``."""

from shared.cli.main import run_main

run_main()
