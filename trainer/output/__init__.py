"""What a job writes: images with their rows, scores, run.json, the card of a data set, SavedModels.

A generated folder has one owner, folder.py: every reader asks it what a folder is and how far it has come.
"""
