"""Weights of others: TF1 checkpoints of FaceGAN and FaceNet, dlib's file; and reference runs of the published code.

Also how weights are named and compared when any file is read into networks.
"""
