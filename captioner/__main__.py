"""`python -m captioner`, the same as the command `captioner`."""

from captioner.cli import main

if __name__ == "__main__":
    main()
