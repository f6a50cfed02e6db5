"""How long a batch would take at the pace that was measured, and whether that fits."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from worker.estimate import Pace, Takes, Unknown, Work, estimate, fits, sentence

PHI = Pace("local/phi", "local", 4, 0, 50.0, 1.0, 300.0, 100.0)
"""Each of its slots does a job of 400 tokens in 8 seconds, all of them together one in 2."""
GEMMA = replace(PHI, queue="local/gemma", tokens_per_second=25.0)
CLASSIFY = Pace("classify:local/phi", "local", 4, 0, 100.0, 1.0, 190.0, 10.0)
"""Two jobs a second."""
FRONTIER = Pace("frontier/big", "frontier", 16, 0, 100.0, 1.0, 300.0, 100.0)
"""Four jobs a second."""

PACES = (PHI, GEMMA, CLASSIFY, FRONTIER)


def asked(pace: Pace, jobs: int, input_tokens: int | None = None) -> Work:
    return Work(pace.queue, jobs, input_tokens)


@pytest.mark.parametrize(
    ("work", "changed", "seconds"),
    [
        ([], {}, 0),
        ([asked(PHI, 100)], {}, 200),
        # its own prompts count, answers are as long as they were
        ([asked(PHI, 100, 30_000)], {}, 200),
        ([asked(PHI, 100, 90_000)], {}, 500),
        # jobs take as many calls as they did
        ([asked(PHI, 100, 30_000)], {PHI.queue: {"calls": 3.0}}, 500),
        # what waits there comes first
        ([asked(PHI, 100)], {PHI.queue: {"waiting": 50}}, 300),
        ([asked(PHI, 100)], {FRONTIER.queue: {"waiting": 5_000}}, 200),
        # the queues of an engine take turns, engines work side by side
        ([asked(PHI, 100), asked(GEMMA, 100)], {}, 600),
        ([asked(PHI, 100)], {GEMMA.queue: {"waiting": 50}}, 400),
        ([asked(PHI, 100), asked(PHI, 10)], {PHI.queue: {"waiting": 50}}, 320),
        ([asked(PHI, 100), asked(FRONTIER, 100)], {}, 200),
        ([asked(PHI, 100), asked(FRONTIER, 4_000)], {}, 1_000),
        ([asked(FRONTIER, 4_000), asked(CLASSIFY, 4_000)], {}, 2_000),
        # half the slots, twice as long; who waits where nobody works keeps nobody up
        ([asked(PHI, 100)], {PHI.queue: {"slots": 2}}, 400),
        ([asked(PHI, 100)], {GEMMA.queue: {"slots": 0, "waiting": 50}}, 200),
    ],
)
def test_the_slowest_engine_says_how_long_it_takes(work, changed, seconds):
    paces = {pace.queue: replace(pace, **changed.get(pace.queue, {})) for pace in PACES}
    assert estimate(work, paces) == Takes(seconds)


def test_what_was_not_measured_or_nobody_serves_cannot_be_known():
    work = [asked(PHI, 1), asked(FRONTIER, 1)]
    assert estimate(work, {PHI.queue: PHI}) == Unknown(
        "no call of frontier/big was measured in the last day"
    )
    idle = {pace.queue: replace(pace, slots=0) for pace in PACES}
    assert estimate(work, idle) == Unknown("no worker serves local/phi")


NOW = datetime(2026, 11, 30, 14, 30).astimezone()
FOUR = NOW.replace(hour=16, minute=40)


@pytest.mark.parametrize(
    ("found", "fit", "said"),
    [
        (Takes(7_800), True, "fits: about 2 h 10 min, done by 16:40"),
        (Takes(20), True, "fits: about 1 min, done by 14:30"),
        (
            Takes(9_000),
            False,
            "does not fit: about 2 h 30 min, done by 17:00, late by 20 min; more slots, another "
            "engine or a later deadline",
        ),
        (
            Takes(86_400),
            False,
            "does not fit: about 24 h 00 min, done by 2026-12-01 14:30, late by 21 h 50 min; more "
            "slots, another engine or a later deadline",
        ),
        (
            Unknown("no worker serves x/y"),
            None,
            "cannot know whether it fits: no worker serves x/y",
        ),
    ],
)
def test_whether_it_fits_is_said_with_when_it_is_done(found, fit, said):
    assert fits(found, FOUR, NOW) is fit
    assert sentence(found, FOUR, NOW) == said


def test_the_deadline_may_be_in_another_zone():
    deadline = FOUR.astimezone(UTC)
    assert fits(Takes(7_800), deadline, NOW)
    assert not fits(Takes(7_801), deadline, NOW)
