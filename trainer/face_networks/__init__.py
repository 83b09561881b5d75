"""Any face network: which there are (one table), what each is shown of a face, and its embeddings of a folder.

The identity loss, the recognisers that are trained here and every evaluation look through this room.
"""
