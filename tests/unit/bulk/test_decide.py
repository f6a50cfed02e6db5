"""What is done about a bulk, from all that is known of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.engines import OpenAIConfig
from models.states import BulkState
from models.words import Zone
from worker.bulk.deadline import STOPS_WITHIN, WORTH, has_time, last_moment
from worker.bulk.decide import (
    LONGEST_PAUSE_S,
    NO_TIME,
    TRIES,
    Bulk,
    Due,
    GivenUp,
    Moved,
    Read,
    Step,
    after_error,
    after_fetch,
    after_look,
    after_search,
    due,
    in_time,
    next_step,
    pause_s,
    stranded,
)
from worker.llm.batches import Bounds, Progress
from worker.llm.engine import EngineError, Trouble

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
DAY = timedelta(days=1)
POLL_S = 60
FULL_QUEUE = "Enqueued token limit reached for gpt-5-mini. Please try again later."


def a_config(**more: Any) -> OpenAIConfig:
    return OpenAIConfig(zone=Zone.FRONTIER, provider_batch="openai", **more)


POLLED = a_config(batch_poll_s=POLL_S)


def a_bulk(state: BulkState = BulkState.SUBMITTED, **more: Any) -> Bulk:
    made = Bulk(
        id=UUID(int=1),
        line_id=1,
        engine="frontier",
        model="m",
        host="h:1",
        state=state,
        requests=10,
        bytes=100,
        handed_in=20,
        came_back=0,
        upload="file-1",
        remote="batch-1",
        done=0,
        tries=0,
        sent_at=NOW,
        deadline=None,
        cancelled=False,
        now=NOW,
    )
    return replace(made, **more)


STEPS = {  # where it has time, and where it has not
    BulkState.GATHERING: (Step.GATHER, Step.GIVE_BACK),
    BulkState.GATHERED: (Step.UPLOAD, Step.GIVE_BACK),
    BulkState.UPLOADED: (Step.CREATE, Step.GIVE_BACK),
    # whether there is anything to stop is not known
    BulkState.CREATING: (Step.FIND, Step.FIND),
    BulkState.SUBMITTED: (Step.LOOK, Step.STOP),
    BulkState.STOPPING: (Step.LOOK, Step.LOOK),
    BulkState.ENDED: (Step.FETCH, Step.FETCH),
    BulkState.FETCHED: (Step.FORGET, Step.FORGET),
    BulkState.CLOSED: (Step.FORGET, Step.FORGET),
}


def test_each_state_has_its_step_and_what_was_begun_is_never_begun_again() -> None:
    assert set(STEPS) == set(BulkState)
    late = NOW + timedelta(minutes=1)
    for state, (wanted, unwanted) in STEPS.items():
        assert next_step(a_bulk(state), a_config()) is wanted
        assert next_step(a_bulk(state, deadline=NOW + DAY), a_config()) is wanted
        assert next_step(a_bulk(state, deadline=late), a_config()) is unwanted
        assert next_step(a_bulk(state, cancelled=True), a_config()) is unwanted


def test_the_last_moment_leaves_time_to_ask_all_of_them_one_by_one() -> None:
    tables = [  # jobs, settings, seconds
        (0, {}, 0.0),
        (100, {"max_in_flight": 10}, 150.0),
        (100, {"slots": 5}, 300.0),
        (100, {"slots": "auto"}, 1500.0),
        (100, {"max_in_flight": 50, "rpm": 20}, 450.0),
    ]
    for jobs, settings, seconds in tables:
        left = NOW + DAY - STOPS_WITHIN - timedelta(seconds=seconds)
        assert last_moment(NOW + DAY, jobs, a_config(**settings)) == left
    assert last_moment(None, 100, a_config()) is None


def test_what_has_less_than_a_worthwhile_time_does_not_wait() -> None:
    needed = STOPS_WITHIN + WORTH
    assert has_time(None, 0, a_config(), NOW)
    assert has_time(NOW + needed, 0, a_config(), NOW)
    assert not has_time(NOW + needed - timedelta(seconds=1), 0, a_config(), NOW)


def test_what_waits_is_gathered_whole_or_asked_at_once() -> None:
    bounds = Bounds(requests=5_000, bytes=1, fewest=100)
    soon = NOW + timedelta(minutes=20)
    table = [  # jobs, more of them come, deadline
        (1_000, False, None, Due.GATHER),
        (1_000, True, None, Due.WAIT),
        (5_000, True, None, Due.GATHER),
        (99, False, None, Due.RUN_LIVE),
        (99, True, None, Due.WAIT),
        (1_000, False, soon, Due.RUN_LIVE),
        (1_000, True, soon, Due.RUN_LIVE),
    ]
    assert due(9, None, a_config(), bounds, NOW, more_comes=True, allowed=False) is Due.RUN_LIVE
    for jobs, more_comes, deadline, expected in table:
        found = due(jobs, deadline, a_config(), bounds, NOW, more_comes=more_comes)
        assert found is expected, (jobs, more_comes, deadline)


def test_pauses_grow_to_ten_minutes() -> None:
    assert [pause_s(tries, POLL_S) for tries in (0, 1, 2, 9, 99)] == [60, 120, 240, 600, 600]
    assert pause_s(3, 3_600) == 3_600


def error(trouble: Trouble, **more: Any) -> EngineError:
    return EngineError(trouble, "said", **more)


AWAY = error(Trouble.UNAVAILABLE)
UNSURE = error(Trouble.TIMEOUT, maybe_billed=True)
FULL = error(Trouble.RATE_LIMITED, retry_after_s=7.0)
WRONG = error(Trouble.AUTH)
GONE = error(Trouble.BAD_REQUEST, status=404)

AFTER_ERROR = [
    (BulkState.GATHERED, Step.UPLOAD, AWAY, Moved(BulkState.GATHERED, POLL_S, detail="said")),
    (BulkState.GATHERED, Step.UPLOAD, FULL, Moved(BulkState.GATHERED, 7.0, detail="said")),
    (BulkState.GATHERED, Step.UPLOAD, WRONG, GivenUp("said")),
    (BulkState.UPLOADED, Step.CREATE, AWAY, Moved(BulkState.UPLOADED, POLL_S, detail="said")),
    (BulkState.UPLOADED, Step.CREATE, UNSURE, Moved(BulkState.CREATING, POLL_S, detail="said")),
    (BulkState.UPLOADED, Step.CREATE, WRONG, GivenUp("said")),
    (BulkState.CREATING, Step.FIND, WRONG, Moved(BulkState.CREATING, POLL_S, detail="said")),
    (BulkState.SUBMITTED, Step.LOOK, UNSURE, Moved(BulkState.SUBMITTED, POLL_S, detail="said")),
    (BulkState.SUBMITTED, Step.LOOK, WRONG, Moved(BulkState.SUBMITTED, POLL_S, detail="said")),
    (BulkState.SUBMITTED, Step.STOP, AWAY, Moved(BulkState.SUBMITTED, POLL_S, detail="said")),
    (BulkState.ENDED, Step.FETCH, UNSURE, Moved(BulkState.ENDED, POLL_S, detail="said")),
    (BulkState.SUBMITTED, Step.LOOK, GONE, Moved(BulkState.SUBMITTED, POLL_S, detail="said")),
    (BulkState.FETCHED, Step.FORGET, AWAY, Moved(BulkState.FETCHED, POLL_S, detail="said")),
]


def test_after_an_error_nothing_that_may_have_begun_begins_again() -> None:
    for state, step, met, expected in AFTER_ERROR:
        assert after_error(a_bulk(state), step, met, POLLED) == expected, (step, met.trouble)


@pytest.mark.parametrize("step", [Step.LOOK, Step.FETCH, Step.STOP])
def test_a_batch_that_its_provider_does_not_know_for_long_is_lost(step: Step) -> None:
    came = after_error(a_bulk(tries=TRIES), step, GONE, POLLED)
    assert came == GivenUp("said: the provider does not know it any more", lost=True)


def test_what_cannot_be_deleted_is_let_be_and_says_so() -> None:
    came = after_error(a_bulk(BulkState.FETCHED, tries=TRIES), Step.FORGET, AWAY, POLLED)
    assert came == Moved(BulkState.CLOSED, detail="could not be deleted at the provider: said")


def test_what_may_have_begun_is_looked_for_until_the_list_is_sure_to_have_it() -> None:
    unsure = a_bulk(BulkState.CREATING)
    later = replace(unsure, now=NOW + timedelta(seconds=3 * POLL_S))
    found = Moved(BulkState.SUBMITTED, POLL_S, remote="b-2")
    assert after_search(unsure, ["b-2", "b-3"], POLL_S) == found
    assert after_search(unsure, [], POLL_S) == Moved(BulkState.CREATING, POLL_S)
    assert after_search(later, [], POLL_S) == Moved(BulkState.UPLOADED)
    assert after_search(replace(later, sent_at=None), [], POLL_S).state is BulkState.CREATING


def test_what_is_read_is_compared_with_what_the_provider_says_to_have_answered() -> None:
    ended = a_bulk(BulkState.ENDED, done=10)
    missing = "3 replies of the provider cannot be read"
    stranger = GivenUp("the batch that was found at the provider is another's", True, ours=False)
    again = Moved(BulkState.ENDED, POLL_S, detail=missing)
    table = [
        (ended, Read(10, 10), Moved(BulkState.FETCHED)),
        (replace(ended, done=0), Read(), Moved(BulkState.FETCHED)),
        (ended, Read(10, 0), stranger),
        (replace(ended, came_back=4), Read(10, 0), Moved(BulkState.FETCHED)),
        (ended, Read(7, 7), again),
        (replace(ended, tries=TRIES), Read(7, 7), GivenUp(missing, lost=True)),
    ]
    for bulk, read, expected in table:
        assert after_fetch(bulk, read, POLL_S) == expected, (bulk.done, read)


def test_no_server_makes_it_wait_for_longer_than_ten_minutes() -> None:
    for asked, waited in ((7.0, 7.0), (86_400.0, LONGEST_PAUSE_S)):
        met = error(Trouble.RATE_LIMITED, retry_after_s=asked)
        came = after_error(a_bulk(BulkState.UPLOADED), Step.CREATE, met, POLLED)
        assert isinstance(came, Moved)
        assert came.delay_s == waited


def test_what_cannot_be_stopped_is_handed_in_a_day_before() -> None:
    config = OpenAIConfig(zone=Zone.FRONTIER, provider_batch="openrouter")
    assert not has_time(NOW + DAY, 0, config, NOW)
    assert has_time(NOW + DAY + WORTH, 0, config, NOW)


def test_a_look_says_whether_replies_can_be_fetched() -> None:
    stopping = a_bulk(BulkState.STOPPING)
    table = [
        (a_bulk(), Progress(ended=False, done=3), Moved(BulkState.SUBMITTED, POLL_S, done=3)),
        (stopping, Progress(ended=False, done=3), Moved(BulkState.STOPPING, POLL_S, done=3)),
        (a_bulk(), Progress(ended=True, done=9), Moved(BulkState.ENDED, done=9)),
        (a_bulk(), Progress(ended=True, refused="why"), GivenUp("why")),
        (
            a_bulk(),
            Progress(ended=True, refused=FULL_QUEUE),
            Moved(BulkState.UPLOADED, LONGEST_PAUSE_S, detail=FULL_QUEUE),
        ),
        # nothing else of ours is in the queue: it is too much for an empty one
        (a_bulk(handed_in=10), Progress(ended=True, refused=FULL_QUEUE), GivenUp(FULL_QUEUE)),
    ]
    for bulk, progress, expected in table:
        assert after_look(bulk, progress, POLLED) == expected


LATE = {"deadline": NOW + timedelta(seconds=1), "handed_in": 20}
"""So late that twenty jobs cannot be asked one by one any more."""


def test_a_deadline_ends_every_wait_for_a_provider() -> None:
    waits = [
        (BulkState.CREATING, Step.FIND),
        (BulkState.SUBMITTED, Step.STOP),
        (BulkState.STOPPING, Step.LOOK),
        (BulkState.ENDED, Step.FETCH),
    ]
    for state, step in waits:
        came = after_error(a_bulk(state, **LATE), step, AWAY, POLLED)
        assert came == GivenUp(f"said: {NO_TIME}", lost=True), step
    slow = after_look(a_bulk(BulkState.STOPPING, **LATE), Progress(ended=False, done=3), POLLED)
    assert slow == GivenUp(f"the provider has not ended it: {NO_TIME}", lost=True)
    kept = after_error(a_bulk(BulkState.FETCHED, **LATE), Step.FORGET, AWAY, POLLED)
    assert kept == Moved(BulkState.FETCHED, POLL_S, detail="said")


def test_a_bulk_is_looked_at_when_its_deadline_demands_something() -> None:
    asked_live = timedelta(seconds=1.5 * 10 * 20)  # one at a time
    one = a_config(slots=1)
    last = NOW + timedelta(seconds=7)
    table = [
        (None, 600.0),
        (last + STOPS_WITHIN + asked_live, 7.0),  # to be told to stop
        (last + asked_live, 7.0),  # to be asked one by one
        (NOW + DAY, 600.0),
        (NOW, 600.0),  # it is over
    ]
    for deadline, delay_s in table:
        came = in_time(a_bulk(deadline=deadline), Moved(None, 600.0), one)
        assert came == Moved(None, delay_s), deadline


def test_what_no_worker_can_reach_any_more_is_waited_for_while_that_can_be_mended() -> None:
    why = "no worker reaches h:1 with a batch API for frontier any more"
    for state in (BulkState.GATHERING, BulkState.GATHERED, BulkState.UPLOADED):
        assert stranded(a_bulk(state), POLLED) == GivenUp(why, ours=False)
    for state in (BulkState.CREATING, BulkState.SUBMITTED, BulkState.STOPPING, BulkState.ENDED):
        waits = stranded(a_bulk(state), POLLED)
        assert isinstance(waits, Moved)
        assert (waits.state, waits.delay_s) == (state, LONGEST_PAUSE_S)
        assert waits.detail is not None
        assert waits.detail.startswith(why)
        for over in ({"cancelled": True}, LATE):
            lost = stranded(a_bulk(state, **over), POLLED)
            assert lost == GivenUp(why, lost=True, ours=False), (state, over)
    kept = stranded(a_bulk(BulkState.FETCHED), POLLED)
    assert kept == Moved(BulkState.CLOSED, detail=f"could not be deleted at the provider: {why}")
