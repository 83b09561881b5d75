"""One file for each job of main.py, each with `run(options)`: reads the flags, puts the other rooms to work.

No job imports another.
"""
