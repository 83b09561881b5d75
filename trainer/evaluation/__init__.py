"""How good faces are: verification, identification, separability, image quality, leakage; and the reports on it.

Functions of embeddings and folders; the job `evaluate` puts them together.
"""
