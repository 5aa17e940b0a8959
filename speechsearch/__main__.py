"""``python -m speechsearch``."""

from speechsearch.cli import main

main()
