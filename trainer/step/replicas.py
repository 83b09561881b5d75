"""What a training step needs to know where several devices each take a part of the batch; nothing on one device."""

import tensorflow as tf

from trainer.step.streams import Stream

ONE = tf.VariableAggregation.ONLY_FIRST_REPLICA  # for state that every replica moves alike


def count():
    """How many devices there are; inside a system's constructor too."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def shares(groups):
    """Lists of gradients of this replica's mean losses -> its share of the whole batch's; Keras' `apply` sums them."""
    return groups if count() == 1 else [[gradient / count() for gradient in gradients] for gradients in groups]


def mean(values):
    """A list of scalars, each meaned over the replicas."""
    return values if count() == 1 else tf.distribute.get_replica_context().all_reduce("MEAN", values)


def gathered(values):
    """[n, …] of each replica -> [count n, …], in the order of the whole batch; its gradient is that of the sum of the
    replicas' losses."""
    return values if count() == 1 else tf.distribute.get_replica_context().all_gather(values, axis=0)


def rolled(values):
    """[n, …] of each replica -> in each row's place the row before it, of the whole batch."""
    if count() == 1:
        return tf.roll(values, 1, axis=0)
    place, rows = tf.distribute.get_replica_context().replica_id_in_sync_group, tf.shape(values)[0]
    return tf.roll(gathered(values), 1, axis=0)[place * rows : (place + 1) * rows]


def own_seed(seed):
    """A seed, int32 or int64 [2], of this replica's own, so that no two draw alike; as it is on one device."""
    if seed is None or count() == 1:
        return seed
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.random.experimental.stateless_fold_in(seed, int(Stream.REPLICA) + replica)
