import json

import pytest

from models.errors import InputError
from worker.tune.pairs import Pair, Tokens, read_pairs, usable


def written(tmp_path, *rows):
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_pairs_are_strings_or_messages(tmp_path):
    system, user = {"role": "system", "content": "s"}, {"role": "user", "content": "u"}
    path = written(
        tmp_path,
        {"prompt": "Q:", "completion": "A", "more": 1},
        "",
        {"prompt": [system, user], "completion": [{"role": "assistant", "content": "B"}]},
    )
    assert read_pairs(path) == [Pair("Q:", "A"), Pair((system, user), "B")]


def test_what_is_no_pair_is_named_by_its_line(tmp_path):
    good = {"prompt": "p", "completion": "c"}
    for bad, why in (
        ("{", "line 2"),
        ({"prompt": "p"}, "a pair is"),
        ({"prompt": "p", "completion": "  "}, "completion is empty"),
        ({"prompt": 3, "completion": "c"}, "list of messages"),
        ({"prompt": [{"role": "user"}], "completion": "c"}, "a message is"),
        ({"prompt": "p", "completion": [good, good]}, "a message is"),
    ):
        with pytest.raises(InputError, match=why) as raised:
            read_pairs(written(tmp_path, good, bad))
        assert "line 2" in str(raised.value)


def test_a_file_without_pairs_or_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no pairs"):
        read_pairs(written(tmp_path, ""))
    with pytest.raises(InputError, match=r"gone\.jsonl"):
        read_pairs(tmp_path / "gone.jsonl")


def test_rows_that_are_too_long_are_left_out():
    short, long = Tokens((1, 2, 3), 2), Tokens(tuple(range(20)), 2)
    assert usable([short, long], 10) == [short]


def test_a_training_in_which_every_label_is_masked_is_refused():
    with pytest.raises(InputError, match="none of the 2 pairs can be learned from"):
        usable([Tokens(tuple(range(20)), 20), Tokens(tuple(range(30)), 25)], 20)
