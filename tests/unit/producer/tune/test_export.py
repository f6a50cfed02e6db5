"""What is refused before anything is written to train on."""

import pytest

from models.errors import InputError
from producer.tune.export import Allowed, refuse_few, refuse_leaks, refuse_terms, refuse_unasked

ALL = Allowed(fewest=1, provider_labels=True, leave_out=True)


def test_too_few_rows_are_refused_with_what_to_do() -> None:
    refuse_few(100, "invoices", Allowed())
    with pytest.raises(InputError, match=r"invoices has 99 rows .* 100 are needed.* --at-least"):
        refuse_few(99, "invoices", Allowed())
    refuse_few(1, "invoices", ALL)


def test_labels_of_a_provider_are_refused_by_name_and_count_unless_the_contract_allows_it() -> None:
    rows = [{"model": name} for name in ("frontier/claude-x", "local/phi4-mini", None)]
    with pytest.raises(InputError, match=r"1 of frontier/claude-x \(Anthropic\)"):
        refuse_terms(rows, Allowed())
    refuse_terms(rows, ALL)
    refuse_terms(rows[1:], Allowed())


def test_what_says_the_same_as_a_held_row_is_never_let_through() -> None:
    refuse_leaks([])
    with pytest.raises(InputError, match=r"2 rows say the same as held ones.*: a, b"):
        refuse_leaks([{"source": "a"}, {"source": "b"}])


def test_rows_that_no_prompt_asks_for_are_counted_and_left_out_only_where_that_is_said() -> None:
    left_out = {"too_long": 3, "too_wide": 1}
    with pytest.raises(InputError, match=r"3 of 9 do not fit into one prompt.*window: 4,096"):
        refuse_unasked(left_out, 9, 4096, Allowed())
    refuse_unasked(left_out, 9, 4096, ALL)
    refuse_unasked({}, 9, 4096, Allowed())
