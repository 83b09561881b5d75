"""What happens inside one training step, as TensorFlow operations: losses, BEGAN's judge and its control k_t,
players (networks with their optimizer and averages), schedules, augmentation, precision, replicas, health.

Nothing here knows which system is trained.
"""
