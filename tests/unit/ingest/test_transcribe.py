"""A page that a model is shown: what comes of each thing that it may write, and of each trouble."""

import asyncio
from collections import deque
from typing import Any

import pytest

from models.config import LimitsConfig
from models.errors import ReadError
from models.kinds import JPEG, PNG
from tests.clock import settle, virtual_time
from tests.factories import OWNER, a_deployment, an_access
from tests.fakes import FakeDatabase
from tests.stubs.fake import FakeEngine
from worker.calls.pages import PageCalls
from worker.flow.slots import Slots
from worker.ingest.transcribe import ASKED_AGAIN_S, ModelPages, transcript
from worker.llm.engine import Completion, EngineError, Finish, Told, Trouble
from worker.read.kinds import NotNow, Scan, Text, scanned_page

SCAN = Scan(3, b"a picture", PNG, 2)
ROUND = Completion("Total 12 " * 50 + "Total 12", Finish.LENGTH, 1)
CUT = Completion("Total 12, and so on", Finish.LENGTH, 1)


class Seeing(FakeEngine):
    """An engine that tells whether its model sees."""

    images: bool | None = True
    told = 0

    async def tell(self, model: str) -> Told:
        self.told += 1
        return Told(images=self.images)


class Processes:
    """What would draw in child processes."""

    def __init__(self, drawn: Text | ReadError) -> None:
        self.drawn, self.closed = drawn, False

    async def read(self, data: bytes, media_type: str, name: str, read: Any) -> Text:
        if isinstance(self.drawn, ReadError):
            raise self.drawn
        await asyncio.sleep(0)  # others come in between, as while a child draws
        assert read.keywords == {"number": 2, "megapixels": 100}
        return self.drawn

    def close(self) -> None:
        self.closed = True


class Another:
    """The OCR of the host."""

    by, at_once = "rapidocr", 1

    def __init__(self, read: Text | ReadError) -> None:
        self.read, self.closed = read, False

    async def page(self, scan: Scan, name: str, document: int | None) -> Text | ReadError:
        return self.read

    def close(self) -> None:
        self.closed = True


PICTURE = Text.of([""], scans=[Scan(1, b"jpeg", JPEG, 1)])


class Rig:
    def __init__(
        self,
        *script: str | Completion | EngineError,
        drawn: Text | ReadError = PICTURE,
        other: Another | None = None,
        has_lease: bool = True,
        slots: int = 2,
    ) -> None:
        self.engine = Seeing(deque(script), models=("see",))
        self.db = FakeDatabase(calls__reserve_page=[{"id": 1}] if has_lease else [])
        self.access = an_access(self.engine, a_deployment(context_tokens=8192))
        self.slots = Slots(slots)
        calls = PageCalls(self.access, self.slots, self.db, OWNER)  # type: ignore[arg-type]
        self.processes = Processes(drawn)
        self.pages = ModelPages(
            "see",
            calls,
            self.processes,  # type: ignore[arg-type]
            LimitsConfig(),
            other,
        )

    async def page(self, document: int | None = 7) -> Text | ReadError:
        return await self.pages.page(SCAN, "deed.pdf", document)

    @property
    def settled(self) -> list[tuple[str, str | None]]:
        """The state and the error of each call that came to an end."""
        rows = [
            params["calls"].obj[0]
            for transaction in self.db.transactions
            for name, params in transaction
            if name == "calls/settle"
        ]
        return [(row.state, row.error and row.error["category"]) for row in rows]


@pytest.mark.parametrize(
    ("completion", "text"),
    [
        (Completion("Total 12\n| a | b |\n", Finish.STOP, 1), "Total 12\n| a | b |"),
        (Completion("```markdown\nTotal 12\n```", Finish.STOP, 1), "Total 12"),
        (Completion("```\nTotal 12\n```\nDone.", Finish.STOP, 1), "```\nTotal 12\n```\nDone."),
        (Completion("<think>A bill.</think>\nTotal 12", Finish.STOP, 1), "Total 12"),
        (Completion(" \n", Finish.STOP, 1), None),
        (Completion("```\n```", Finish.STOP, 1), None),
        (CUT, None),
        (Completion("Total", Finish.CONTENT_FILTER, 1), None),
    ],
)
def test_what_a_model_wrote_down_is_the_page_without_what_is_around_it(completion, text):
    assert transcript(completion) == text


async def test_a_page_is_shown_with_room_for_its_text_and_stands_in_the_ledger():
    rig = Rig("Total 12")
    assert await rig.page() == scanned_page("Total 12")
    [request] = rig.engine.requests
    [message] = request.messages
    assert message.images == (b"jpeg",)
    assert "exactly as it stands" in message.content
    assert (request.max_tokens, request.context_tokens) == (4096, 8192)
    assert (request.temperature, request.schema) == (0.0, None)
    assert rig.db.ran == ["calls/reserve_page", "calls/settle"]
    assert rig.db.given("calls/reserve_page")["document"] == 7
    assert rig.settled == [("settled", None)]


async def test_an_empty_sheet_is_shown_to_nobody():
    rig = Rig(drawn=Text.of([""]))
    assert await rig.page() == scanned_page("")
    assert rig.engine.requests == []


async def test_a_page_that_cannot_be_drawn_says_why():
    rig = Rig(drawn=ReadError("damaged", "no picture"))
    found = await rig.page()
    assert isinstance(found, ReadError)
    assert found.category == "damaged"


async def test_a_model_that_goes_round_in_circles_is_asked_once_more_at_a_temperature():
    rig = Rig(ROUND, "Total 12")
    assert await rig.page() == scanned_page("Total 12")
    assert [request.temperature for request in rig.engine.requests] == [0.0, 0.4]


async def test_what_the_model_makes_nothing_of_is_read_by_the_host_s_ocr_and_that_is_said():
    note = "read by OCR (rapidocr): local/see made nothing of it"
    for script in ([ROUND, ROUND], [CUT], [""]):
        rig = Rig(*script, other=Another(scanned_page("Total 12", ["a note"])))
        assert await rig.page() == scanned_page("Total 12", [note, "a note"])
        assert await Rig(*script).page() == scanned_page(None)
    rig = Rig("", other=Another(scanned_page(None)))
    assert await rig.page() == scanned_page(None, [note])
    rig = Rig("", other=Another(ReadError("reader_timeout", "too slow")))
    assert isinstance(await rig.page(), ReadError)


async def test_a_model_that_sees_nothing_is_not_asked_and_the_page_says_what_helps():
    rig = Rig("I see a page.")
    rig.engine.images = False
    found = await rig.page()
    assert isinstance(found, ReadError)
    assert not isinstance(found, NotNow)
    assert str(found) == "local/see reads no images: name a model that does in reading.ocr"
    assert rig.engine.requests == []


@virtual_time
async def test_whether_a_model_sees_is_asked_again_a_minute_after_it_did_not():
    rig = Rig("Total 12", "Total 13")
    rig.engine.images = False
    for _ in range(3):
        assert isinstance(await rig.page(), ReadError)
    rig.engine.images = True
    await asyncio.sleep(ASKED_AGAIN_S / 2)
    assert isinstance(await rig.page(), ReadError)
    await asyncio.sleep(ASKED_AGAIN_S / 2)
    assert await rig.page() == scanned_page("Total 12")
    rig.engine.images = False
    await asyncio.sleep(ASKED_AGAIN_S)
    assert await rig.page() == scanned_page("Total 13")
    assert rig.engine.told == 2


async def test_pages_wait_while_their_engine_is_away_and_it_is_not_asked_for_each():
    rig = Rig(EngineError(Trouble.UNAVAILABLE, "nobody there"), "Total 12")
    opened = asyncio.Event()
    rig.access.changed = opened.set
    for _ in range(3):
        found = await rig.page()
        assert isinstance(found, NotNow)
        assert found.category == "engine_away"
    assert len(rig.engine.requests) == 1
    assert rig.settled == [("refused", "unavailable")]
    await rig.access.lift("see")
    await opened.wait()
    assert await rig.page() == scanned_page("Total 12")


async def test_of_pages_that_come_together_one_tries_an_engine_that_may_be_back():
    rig = Rig(*[EngineError(Trouble.TIMEOUT, "too slow")] * 4)
    opened = asyncio.Event()
    rig.access.changed = opened.set
    await rig.page()
    await rig.access.lift("see")
    await opened.wait()
    found = await asyncio.gather(*(rig.page() for _ in range(3)))
    assert all(isinstance(one, NotNow) for one in found)
    assert len(rig.engine.requests) == 2


async def test_a_page_in_whose_call_the_engine_went_down_counts_as_dangerous():
    gone = EngineError(Trouble.DIED, "it went down", maybe_billed=True)
    found = await Rig(gone).page()
    assert isinstance(found, NotNow)
    assert found.category == "engine_died"


async def test_a_page_that_the_engine_refuses_is_missing_and_says_why():
    found = await Rig(EngineError(Trouble.BAD_REQUEST, "image too large")).page()
    assert isinstance(found, ReadError)
    assert not isinstance(found, NotNow)
    assert (found.category, str(found)) == ("bad_request", "image too large")


async def test_a_worker_that_lost_the_document_shows_no_page_of_it():
    rig = Rig("Total 12", has_lease=False)
    assert isinstance(await rig.page(), NotNow)
    assert rig.engine.requests == []


async def test_no_more_pages_are_shown_at_once_than_there_are_slots_whosever_they_are():
    rig = Rig(slots=3)
    await asyncio.gather(*(rig.page(document) for document in range(8)))
    assert (len(rig.engine.requests), rig.engine.most_in_flight) == (8, 3)
    assert (rig.pages.at_once, rig.slots.free) == (3, 3)


async def test_a_page_waits_for_the_slot_that_a_job_holds_and_is_in_no_ledger_meanwhile():
    rig = Rig("Total 12", slots=1)
    await rig.slots.enter(alone=False)
    page = asyncio.create_task(rig.page())
    await settle()
    assert (rig.engine.requests, rig.db.ran) == ([], [])
    rig.slots.leave(alone=False)
    assert await page == scanned_page("Total 12")


async def test_a_page_is_not_shown_to_an_engine_that_went_away_while_it_waited_for_a_slot():
    rig = Rig("Total 12", slots=1)
    await rig.slots.enter(alone=False)
    pages = [asyncio.create_task(rig.page()) for _ in range(3)]
    await settle()
    rig.access.trouble("see", EngineError(Trouble.UNAVAILABLE, "nobody there"))
    rig.slots.leave(alone=False)
    assert [type(found) for found in await asyncio.gather(*pages)] == [NotNow] * 3
    assert (rig.engine.requests, rig.db.ran, rig.slots.free) == ([], [], 1)


async def test_a_slot_is_free_again_whatever_came_of_its_page():
    error = EngineError(Trouble.BAD_REQUEST, "image too large")
    for rig in (Rig(error), Rig("Total 12", has_lease=False)):
        await rig.page()
        assert rig.slots.free == 2


async def test_a_page_of_no_batch_is_shown_to_nobody():
    rig = Rig("Total 12")
    assert isinstance(await rig.page(None), ReadError)
    assert rig.engine.requests == []


async def test_closing_ends_whoever_draws_and_whoever_reads():
    other = Another(scanned_page("x"))
    rig = Rig(other=other)
    rig.pages.close()
    assert rig.processes.closed
    assert other.closed
