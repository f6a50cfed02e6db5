"""Which OCR reads scans: what docmill.toml says, and what the host has."""

import pytest

from models.errors import ConfigError
from models.reading import ReadingConfig
from worker.read.ocr import Ocr, chosen

BOTH = (Ocr.RAPIDOCR, Ocr.TESSERACT)


@pytest.mark.parametrize(
    ("ocr", "languages", "there", "wanted"),
    [
        ("auto", ("eng",), BOTH, Ocr.RAPIDOCR),
        ("auto", ("eng", "deu", "osd"), BOTH, Ocr.RAPIDOCR),
        ("auto", ("eng", "hin"), BOTH, Ocr.TESSERACT),
        ("auto", ("eng",), (Ocr.TESSERACT,), Ocr.TESSERACT),
        ("auto", ("hin",), (Ocr.RAPIDOCR,), Ocr.RAPIDOCR),
        ("auto", ("eng",), (), None),
        ("off", ("eng",), BOTH, None),
        ("rapidocr", ("hin",), BOTH, Ocr.RAPIDOCR),
        ("local/see", ("eng",), BOTH, Ocr.RAPIDOCR),
        ("local/see", ("eng",), set(), None),
        ("tesseract", ("eng",), BOTH, Ocr.TESSERACT),
    ],
)
def test_it_is_the_one_that_is_named_else_the_best_that_is_there(ocr, languages, there, wanted):
    assert chosen(ReadingConfig(ocr=ocr, languages=languages), there) is wanted


@pytest.mark.parametrize(
    ("ocr", "help_said"),
    [("rapidocr", r"pip install 'docmill\[ocr\]'"), ("tesseract", "Tesseract")],
)
def test_one_that_is_named_and_not_there_is_a_clear_error(ocr, help_said):
    with pytest.raises(ConfigError, match=f'reading.ocr = "{ocr}": .*{help_said}'):
        chosen(ReadingConfig(ocr=ocr), set())
