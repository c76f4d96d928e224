"""`python -m services.cli`: the same as `milepost`."""

from services.cli import main

main()
