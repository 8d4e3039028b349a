"""`python -m hean.app` is `hean-app`."""

from hean.app.cli import main

main()
