"""Around the step: the one loop, checkpoints, devices, sources, a trained system read back from its run folder.

Nothing here knows which system is trained: it works through the contract of trainer/systems/system.py.
"""
