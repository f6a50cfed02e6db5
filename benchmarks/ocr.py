"""How well OCR reads real scans, and what it takes: public receipts whose words are known.

python -m benchmarks.ocr [--ocr rapidocr|tesseract]

Each is read twice: as a PDF that shows the picture, and as the picture itself.
"""

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from unicodedata import normalize

import pypdf  # noqa: TID251

from models.config import Config
from models.kinds import PDF, kind_of
from worker.read.ocr import Ocr, chosen, here, read_scan

DATA = Path(__file__).parent.parent.parent / "shared" / "data"
ENOUGH = 0.90
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Read:
    """A page: the share of its true words that were read, and the CPU time that it took, in s."""

    name: str
    words: int
    recall: float
    seconds: float


def pages(ocr: Ocr) -> Iterator[Read]:
    """The receipts, after one that warms it up."""
    texts = _texts()
    files = sorted((DATA / "pdfs").glob("receipt__*.pdf"))
    _read(files[0].read_bytes(), PDF, ocr)
    for file in files:
        true = Counter(_words(texts[file.stem.removeprefix("receipt__")]))
        data = file.read_bytes()
        picture = pypdf.PdfReader(BytesIO(data)).pages[0].images[0].data
        for name, content in ((file.name, data), (f"{file.stem}, its picture", picture)):
            began = _used()
            text = _read(content, kind_of("", BytesIO(content)) or "", ocr)
            seconds = _used() - began
            found = true & Counter(_words(text))
            yield Read(name, true.total(), found.total() / true.total(), seconds)


def _read(data: bytes, kind: str, ocr: Ocr) -> str:
    limits, languages = Config().limits, Config().reading.languages
    return read_scan(
        data,
        kind,
        "a receipt",
        number=1,
        ocr=ocr,
        languages=languages,
        megapixels=limits.ocr_megapixels,
    ).whole


def _used() -> float:
    """CPU time of this process and of those that it ran, in s."""
    return sum(os.times()[:4])


def _texts() -> dict[str, str]:
    lines = (DATA / "extraction_open.jsonl").read_text("utf-8").splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, lines)}


def _words(text: str) -> list[str]:
    return _WORD.findall(normalize("NFKC", text).casefold())


def main() -> None:
    """Print a line for each page, and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ocr", type=Ocr, choices=list(Ocr))
    ocr = parser.parse_args().ocr or chosen(Config().reading, here())
    if ocr is None:
        raise SystemExit("there is no OCR here: pip install 'docmill[ocr]'")
    read = []
    for one in pages(ocr):
        print(f"{one.name}: {one.words} words, {one.recall:.3f} read, {one.seconds:.2f} CPU s")
        read.append(one)
    words = sum(one.words for one in read)
    recall = sum(one.recall * one.words for one in read) / words
    seconds = sum(one.seconds for one in read) / len(read)
    print(f"{ocr}: word recall {recall:.3f} (bar {ENOUGH}), {seconds:.2f} CPU s a page")


if __name__ == "__main__":
    main()
