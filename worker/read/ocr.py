"""Which OCR reads the pictures of documents: chosen here, loaded in child processes alone."""

from collections.abc import Collection
from enum import StrEnum
from importlib.util import find_spec
from shutil import which

from models.errors import ConfigError
from models.reading import ReadingConfig
from worker.read.kinds import Text


class Ocr(StrEnum):
    """Who reads pictures."""

    RAPIDOCR = "rapidocr"
    TESSERACT = "tesseract"


GET = {
    Ocr.RAPIDOCR: "pip install 'docmill[ocr]'",
    Ocr.TESSERACT: "install Tesseract, so that `tesseract` can be run",
}
"""How a host comes by it."""

# As Tesseract calls them: Chinese, Japanese and languages in Latin letters, which one model reads.
# osd is no language: it is what tells how a page is turned.
_NAMES = (
    "afr cat ces chi_sim chi_tra cym dan deu eng epo est eus fin fra gle glg hrv hun ind isl ita "
    "jpn lat lav lit mlt msa nld nor osd pol por ron slk slv spa sqi srp_latn swa swe tgl tur"
)
_RAPIDOCR_READS = frozenset(_NAMES.split())


def here() -> set[Ocr]:
    """Those that this host has."""
    packages = all(find_spec(name) for name in ("rapidocr", "onnxruntime"))
    found = {Ocr.RAPIDOCR: packages, Ocr.TESSERACT: which("tesseract") is not None}
    return {ocr for ocr, there in found.items() if there}


def chosen(config: ReadingConfig, there: Collection[Ocr]) -> Ocr | None:
    """Who is to read pictures on a host that has these; None: nobody. Where a model reads them it
    is whoever reads what the model cannot.

    Raises ConfigError where docmill.toml names one that is not there.
    """
    if config.ocr == "off":
        return None
    if config.ocr != "auto" and config.seen_by is None:
        ocr = Ocr(config.ocr)
        if ocr not in there:
            raise ConfigError(f'reading.ocr = "{ocr}": it is not on this host: {GET[ocr]}')
        return ocr
    rapidocr_reads = _RAPIDOCR_READS.issuperset(config.languages)
    best_first = list(Ocr) if rapidocr_reads else list(reversed(Ocr))
    return next((ocr for ocr in best_first if ocr in there), None)


def read_scan(
    data: bytes,
    media_type: str,
    name: str,
    *,
    number: int,
    ocr: Ocr,
    languages: tuple[str, ...],
    megapixels: int,
) -> Text:
    """Read page `number`, from 1, of a PDF or an image of at most so many megapixels.

    The text has one page, and a gap where OCR was not sure of most that it saw. Raises
    ReadError.
    """
    # Imported here: the parent process of the sandbox needs the values above, not the parsers.
    from worker.read.recognise import recognised

    return recognised(data, media_type, name, number - 1, ocr, languages, megapixels)


def show_scan(data: bytes, media_type: str, name: str, *, number: int, megapixels: int) -> Text:
    """Draw page `number`, from 1, of a PDF or an image of at most so many megapixels.

    The text has one empty page, and as its one scan the page as a JPEG; an empty sheet has no scan.
    Raises ReadError.
    """
    from worker.read.draw import shown

    return shown(data, media_type, name, number - 1, megapixels)
