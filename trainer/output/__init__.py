"""What a job writes: images with their rows, scores, run.json, the card of a data set, SavedModels.

resumable_folder.py writes a generated folder, and goes on where it stopped. What marks such a folder, and whether it is
finished, data_loader/generated_folder.py knows for every reader.
"""
