"""python -m producer: the same as `docmill`."""

from producer.cli import main

main()
