from itertools import islice

from worker.tune.batches import batches

LENGTHS = [10 * (n % 17) + 5 for n in range(203)]


def test_every_pass_has_each_pair_once():
    order = batches(LENGTHS, 6, seed=1)
    passes = [list(islice(order, 34)) for _ in range(2)]
    for one in passes:
        assert sorted(at for batch in one for at in batch) == list(range(203))
    assert passes[0] != passes[1]


def test_a_training_that_goes_on_meets_the_batches_that_it_would_have_met():
    whole = list(islice(batches(LENGTHS, 6, seed=1), 80))
    for start in (0, 7, 33, 34, 50):
        assert list(islice(batches(LENGTHS, 6, seed=1, start=start), 80 - start)) == whole[start:]


def test_pairs_of_a_batch_are_of_like_length_and_batches_come_in_no_order():
    first = list(islice(batches(LENGTHS, 6, seed=1), 24))
    spreads = [max(LENGTHS[at] for at in b) - min(LENGTHS[at] for at in b) for b in first]
    assert sum(spreads) / len(spreads) < 20
    longest = [max(LENGTHS[at] for at in batch) for batch in first]
    assert longest != sorted(longest)
