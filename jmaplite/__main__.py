"""`python -m jmaplite` is the command line."""

from jmaplite.cli import main

if __name__ == "__main__":
    main(prog_name="jmaplite")
