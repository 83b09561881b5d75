"""How fast: measurements, the arithmetic of a traced graph, what a machine can do, and data made up for it.

Any system can be timed: only the contract is used.
"""
