"""What becomes of the public PDFs: the table of docs/formats.md.

python -m benchmarks.formats

For each file: what it ends as, with and without its password, how many of the words that pdfium and
pypdf find by themselves are in its text, and for files whose text is known, how many of its words.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from models.errors import ReadError
from worker.read import pdfium, second
from worker.read.pdf import read
from worker.read.reading import Damaged, Locked, Reading, StrangeLock, better
from worker.unlock import unlocked

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
PDFS, TEXTS = SHARED / "pdfs", SHARED / "indic_text"

PASSWORDS = ("openpassword", "asdfzxcv", "usersecret", "foo", "user")
"""Of the locked files, as their sources tell them."""

ENDS = {"ready", "partly", "skipped", "needs_ocr", "needs_password", "unsupported", "failed"}

# A vowel sign or virama belongs to its word, which \w does not know.
WORD = re.compile(r"(?:\w|[\u0900-\u0963\u0966-\u0dff\u200c\u200d])+")
HEADINGS = (
    "| file | pages | ends as | with its password | words of pdfium | of pypdf | of the better "
    "| true words | CPU s |"
)
MUCH = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """A file. Shares are of words; None: there is nothing to compare with."""

    name: str
    pages: int | None
    end: str
    unlocked: str
    by_pdfium: float | None
    by_pypdf: float | None
    better: float | None
    true: float | None
    seconds: float


def rows() -> Iterator[Row]:
    """Every file, in the order of its name."""
    for file in sorted(PDFS.glob("*.pdf")):
        yield _row(file)


def _row(file: Path) -> Row:
    data = file.read_bytes()
    began = time.process_time()
    end, text, pages = ended(data, file.name)
    seconds = time.process_time() - began
    first, other = _readings(pdfium.Document, data), _readings(second.Document, data)
    by_pdfium, by_pypdf = _share(text, _whole(first)), _share(text, _whole(other))
    other_is_better = better(_all(other), _all(first), None) or not first
    return Row(
        file.name,
        pages,
        end,
        _with_password(data, file.name) if end == "needs_password" else "",
        by_pdfium,
        by_pypdf,
        (by_pypdf if other_is_better else by_pdfium) if end == "ready" else None,
        _share(text, _written(file)),
        seconds,
    )


def ended(data: bytes, name: str) -> tuple[str, str, int | None]:
    """The state that a file ends in, its text and its number of pages."""
    try:
        text = read(data, name)
    except ReadError as error:
        told = error.category in ENDS
        return (error.category if told else f"failed ({error.category})"), "", None
    end = "partly" if text.gaps else "ready" if text.whole.strip() else "skipped"
    missing = "".join(f" (pages {gap.pages}: {gap.why})" for gap in text.gaps)
    return end + missing, text.whole, len(text.pages)


def _with_password(data: bytes, name: str) -> str:
    found = unlocked(data, PASSWORDS)
    return found if isinstance(found, str) else ended(found, name)[0]


def _readings(reader: type[pdfium.Document] | type[second.Document], data: bytes) -> list[Reading]:
    """Each page by one reader alone."""
    try:
        document = reader(data)
    except (Damaged, Locked, StrangeLock):
        return []
    found = []
    for number in range(len(document)):
        try:
            sheet = document.sheet(number, MUCH)
        except Damaged:
            continue
        if sheet is not None:
            found.append(sheet.reading)
    return found


def _whole(found: list[Reading]) -> str:
    return "\n".join(page.text for page in found)


def _all(found: list[Reading]) -> Reading:
    return Reading(_whole(found), sum(page.lost for page in found))


def _written(file: Path) -> str:
    text = TEXTS / f"{file.stem.removeprefix('script__')}.txt"
    return text.read_text("utf-8") if text.is_file() else ""


def _share(text: str, wanted: str) -> float | None:
    """Of the words wanted, counted as often as they stand there, the share that a text holds."""
    words = _words(wanted)
    return (words & _words(text)).total() / words.total() if words else None


def _words(text: str) -> Counter[str]:
    """Ligatures count as their letters."""
    return Counter(WORD.findall(normalize("NFKC", text)))


def main() -> None:
    """Print the table."""
    print(HEADINGS)
    print("|---|---|---|---|---|---|---|---|---|")
    silent = 0
    for row in rows():
        shares = (row.by_pdfium, row.by_pypdf, row.better, row.true)
        told = " | ".join("" if share is None else f"{share:.3f}" for share in shares)
        pages = "" if row.pages is None else row.pages
        print(
            f"| {row.name} | {pages} | {row.end} | {row.unlocked} | {told} | {row.seconds:.2f} |",
            flush=True,
        )
        silent += row.end.partition(" ")[0] not in ENDS
    print(f"\nsilent outcomes: {silent}")
    sys.exit(silent > 0)


if __name__ == "__main__":
    main()
