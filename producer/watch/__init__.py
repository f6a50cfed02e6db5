"""A place that is watched: what is new or changed in it becomes batches, once each."""
