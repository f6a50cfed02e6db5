"""One page of a scan, read by OCR. Runs in child processes of its own: an engine takes much memory.

RapidOCR is imported here alone. Its models lie in its wheel and are named one by one, so that
nothing is looked for elsewhere.
"""

import csv
import os
import subprocess
from collections.abc import Iterator
from functools import lru_cache, partial
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Any

from PIL import Image

from models.errors import ReadError
from worker.read.boxes import placed
from worker.read.child import die_with
from worker.read.draw import drawn
from worker.read.grid import Run
from worker.read.kinds import Text, clean, scanned_page
from worker.read.lines import Found, in_lines, is_sparse, page
from worker.read.ocr import Ocr
from worker.read.reading import MOST_LOST

PIXELS = {Ocr.RAPIDOCR: 2_000_000, Ocr.TESSERACT: 8_700_000}
"""Of a page as an OCR sees it. Tesseract wants 300 dots an inch: that is A4."""

_SIDE = 20_000
_OSD = "osd"


def recognised(
    data: bytes,
    media_type: str,
    name: str,
    number: int,
    ocr: Ocr,
    languages: tuple[str, ...],
    megapixels: int,
) -> Text:
    """Read page `number`, from 0. See `ocr.read_scan`."""
    shown = drawn(data, media_type, name, number, megapixels, PIXELS[ocr])
    found = _by_rapidocr(shown) if ocr is Ocr.RAPIDOCR else _by_tesseract(shown, languages)
    lines = list(found)
    read = page(lines, shown.width, shown.height)
    if read.share_lost > MOST_LOST or (ocr is Ocr.RAPIDOCR and is_sparse(lines)):
        return scanned_page(None)
    notes = [f"{read.lost} characters that OCR was not sure of left out"] if read.lost else []
    text = clean(read.text)
    return scanned_page(text, notes, placed(text, read.boxes))


@lru_cache
def _rapidocr() -> Any:
    import rapidocr  # noqa: TID251 - the module that knows RapidOCR

    models = Path(rapidocr.__file__).parent / "models"
    return rapidocr.RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,  # `page` counts what it leaves out
            "Global.max_side_len": _SIDE,  # the picture has the size that it should have
            "Det.model_path": str(models / "PP-OCRv6_det_small.onnx"),
            "Cls.model_path": str(models / "ch_ppocr_mobile_v2.0_cls_mobile.onnx"),
            "Rec.model_path": str(models / "PP-OCRv6_rec_small.onnx"),
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,  # a process takes a core
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _by_rapidocr(shown: Image.Image) -> Iterator[list[Found]]:
    result = _rapidocr()(shown)
    if result.txts is None:
        return iter(())
    found = (
        Found(_run(text, box), float(score))
        for text, score, box in zip(result.txts, result.scores, result.boxes, strict=True)
    )
    return in_lines(found)


def _run(text: str, corners: Any) -> Run:
    left, top, right, bottom = map(float, (*corners.min(axis=0), *corners.max(axis=0)))
    return Run(text, left, top, right, bottom)


def _by_tesseract(shown: Image.Image, languages: tuple[str, ...]) -> Iterator[list[Found]]:
    """Its own order of lines: it knows columns."""
    buffer = BytesIO()
    shown.save(buffer, "PPM")
    turned = ["--psm", "1"] if _OSD in languages else ["--psm", "3"]
    command = ["tesseract", "stdin", "stdout", "-l", "+".join(languages), *turned, "tsv"]
    ended = subprocess.run(
        command,
        input=buffer.getvalue(),
        capture_output=True,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        preexec_fn=partial(die_with, os.getpid()),
    )
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip()[-500:]
        raise ReadError("reader_crashed", f"tesseract ended with {ended.returncode}: {said}")
    rows = csv.DictReader(
        ended.stdout.decode("utf-8", "replace").splitlines(),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
    words = (row for row in rows if row["level"] == "5" and row["text"].strip())
    place = ("block_num", "par_num", "line_num")
    return (
        [_word(row) for row in line]
        for _, line in groupby(words, lambda row: [row[key] for key in place])
    )


def _word(row: dict[str, str]) -> Found:
    left, top = float(row["left"]), float(row["top"])
    right, bottom = left + float(row["width"]), top + float(row["height"])
    return Found(Run(row["text"], left, top, right, bottom), float(row["conf"]) / 100)
