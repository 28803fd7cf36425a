"""What `build.py` does, one file for each command. Standard library only, Python 3.11 or newer."""
