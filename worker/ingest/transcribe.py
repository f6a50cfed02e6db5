"""Pages that a model is shown: it writes down what it sees, and that is the page's text.

A page is drawn in a child process, for it may be hostile. One that makes the model go round in
circles is drawn from once more at a temperature; what the model still makes nothing of is read by
the OCR of this host, where there is one.
"""

import asyncio
import re
from functools import partial

from models.config import LimitsConfig
from models.errors import ReadError
from worker.calls.access import ModelAccess
from worker.calls.answer import after_thinking, went_round
from worker.calls.pages import PageCalls, Unasked
from worker.llm.engine import Completion, EngineError, Finish, Message, Request, Trouble
from worker.llm.probe import told
from worker.prompts.files import PAGE, prompt
from worker.read.kinds import NotNow, Scan, Text, scanned_page
from worker.read.ocr import show_scan
from worker.read.sandbox import Reader
from worker.read.scans import PageReader

SECOND_DRAW = 0.4
"""The temperature of the second try: the same draw would end in the same circle."""

ASKED_AGAIN_S = 60.0
"""Whether a model sees that did not: another one may have been pulled under its name."""

_FENCED = re.compile(r"```[\w-]*\n(.*?)\n?```", re.DOTALL)


class ModelPages:
    """Pages by a model of a local engine. Has to be closed."""

    def __init__(
        self,
        model: str,
        calls: PageCalls,
        processes: Reader,
        limits: LimitsConfig,
        other: PageReader | None,
    ) -> None:
        self._model, self._calls, self._processes = model, calls, processes
        self._draw = partial(show_scan, megapixels=limits.ocr_megapixels)
        self._other = other
        """Who reads what the model makes nothing of."""
        self._under_way = 0
        self._sees = False
        self._asked_again_at = 0.0
        """From then on its engine is asked whether it sees, unless it did."""

    @property
    def by(self) -> str:
        """ENGINE/MODEL."""
        return f"{self._calls.access.deployment.name}/{self._model}"

    @property
    def shown(self) -> ModelAccess:
        """The model that pages are shown to."""
        return ModelAccess(self._calls.access, self._model)

    @property
    def at_once(self) -> int:
        """As many as there are slots for them, which other calls may hold."""
        return self._calls.slots.size

    async def page(self, scan: Scan, name: str, document: int | None) -> Text | ReadError:
        """A page's text, or why there is none; NotNow where the engine is away."""
        if document is None:
            return ReadError("needs_ocr", f"{self.by} is shown pages of batches alone")
        shut = self._calls.shut(self._model, self._under_way)
        if shut is not None:
            return NotNow("engine_away", shut)
        self._under_way += 1  # before anything is waited for: a gate that is half open lets one in
        try:
            return await self._page(scan, name, document)
        except EngineError as error:
            return self._without(error)
        except ReadError as error:
            return error
        finally:
            self._under_way -= 1

    async def _page(self, scan: Scan, name: str, document: int) -> Text:
        """Raises EngineError and ReadError."""
        await self._look()
        draw = partial(self._draw, number=scan.number)
        drawn = await self._processes.read(scan.data, scan.media_type, name, draw)
        if not drawn.scans:
            return scanned_page("")  # an empty sheet
        text = await self._transcribed(document, drawn.scans[0].data)
        return scanned_page(text) if text else await self._by_another(scan, name, document)

    async def _look(self) -> None:
        """Raises EngineError where the engine is away, and ReadError where its model is blind."""
        now = asyncio.get_running_loop().time()
        if not self._sees and now >= self._asked_again_at:
            said = await told(self._calls.access.engine, self._model)
            self._sees = said.images is not False
            self._asked_again_at = now + ASKED_AGAIN_S
        if not self._sees:
            why = f"{self.by} reads no images: name a model that does in reading.ocr"
            raise ReadError("needs_ocr", why)

    async def _transcribed(self, document: int, jpeg: bytes) -> str | None:
        for temperature in (0.0, SECOND_DRAW):
            request = self._request(jpeg, temperature)
            version = prompt(PAGE).version
            answer = await self._calls.ask(document, request, version, self._others)
            if isinstance(answer, Unasked):
                raise NotNow("engine_away", answer.why)
            if not went_round(answer):
                return transcript(answer)
        return None

    def _others(self) -> int:
        """Pages that are under way beside the one that asks."""
        return self._under_way - 1

    def _request(self, jpeg: bytes, temperature: float) -> Request:
        """Half of the window is for what the model writes; a page takes the other, or less."""
        window = self._calls.access.deployment.config.context_tokens
        message = Message("user", prompt(PAGE).request, images=(jpeg,))
        return Request(
            self._model, (message,), window // 2, window, temperature=temperature, seed=1
        )

    async def _by_another(self, scan: Scan, name: str, document: int) -> Text:
        if self._other is None:
            return scanned_page(None)
        read = await self._other.page(scan, name, document)
        if isinstance(read, ReadError):
            raise read
        note = f"read by OCR ({self._other.by}): {self.by} made nothing of it"
        boxes = read.pages[0].boxes
        return scanned_page(None if read.gaps else read.whole, [note, *read.notes], boxes)

    def _without(self, error: EngineError) -> ReadError:
        """Why a call brought no text. The model's gate tells a page in trouble from an engine."""
        own = self._calls.access.trouble(self._model, error)
        if error.trouble is Trouble.DIED:
            return NotNow("engine_died", str(error))
        return (
            ReadError(str(error.trouble), str(error)) if own else NotNow("engine_away", str(error))
        )

    def close(self) -> None:
        """End the processes that draw."""
        self._processes.close()
        if self._other is not None:
            self._other.close()


def transcript(completion: Completion) -> str | None:
    """The text of a page as a model wrote it down; None: it was cut off, or wrote nothing, and the
    page is no empty sheet. Pure."""
    if completion.finish is not Finish.STOP:
        return None
    said = after_thinking(completion.text)
    fenced = _FENCED.fullmatch(said)
    return (fenced[1] if fenced else said).strip() or None
