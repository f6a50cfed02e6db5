"""[reading] of docmill.toml: who reads pictures of text."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from models.engines import Section

OCRS = ("auto", "off", "rapidocr", "tesseract")
"""Who reads pictures on the host itself. auto: what the hosts that read have; RapidOCR, and
Tesseract where there is no other or where a language is asked for that RapidOCR does not read."""


@dataclass(frozen=True, slots=True)
class SeenBy:
    """A model of an engine that pages are shown to."""

    engine: str
    model: str


class ReadingConfig(Section):
    """How pictures of text are read."""

    ocr: str = "auto"
    """One of OCRS, or ENGINE/MODEL of zone local: a model that pages are shown to."""
    languages: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_]{2,32}$")], ...] = Field(
        default=("eng",), min_length=1
    )
    """As Tesseract calls them: eng, hin, tam."""
    slots: PositiveInt = 2
    """Pages that a worker which reads shows to the model at once, unless it serves the model's
    engine itself: then they take that engine's slots."""

    @field_validator("ocr")
    @classmethod
    def _known(cls, value: str) -> str:
        engine, _, model = value.partition("/")
        if value not in OCRS and not (engine and model):
            known = ", ".join(OCRS)
            raise ValueError(
                f"reading.ocr: {value!r} is none of {known}, and no ENGINE/MODEL such as "
                "local/qwen2.5vl:7b"
            )
        return value

    @property
    def seen_by(self) -> SeenBy | None:
        """The model that pages are shown to; None: an OCR of the host that reads, or nobody."""
        if self.ocr in OCRS:
            return None
        engine, _, model = self.ocr.partition("/")
        return SeenBy(engine, model)
