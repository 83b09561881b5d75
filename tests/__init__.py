"""The tests. Keras' settings are the product's, also for `python -m tests.<file>`."""

from utils import environment

environment.pin_keras()
