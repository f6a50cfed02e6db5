"""Empty sheets, and pages that hold little or faint writing: by what is to be seen beside grain."""

import io
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFont

from tests import scans
from worker.read.blank import is_blank

SIZE = (1060, 1500)
"""As pages are drawn for a model."""

PAPER = 230


def paper(shade: int = PAPER) -> Image.Image:
    return Image.new("L", SIZE, shade)


def shaded(darkest: int, brightest: int) -> Image.Image:
    """As beside the fold of a book."""
    slope = Image.linear_gradient("L").resize(SIZE)
    return slope.point([darkest + (brightest - darkest) * n // 255 for n in range(256)])


def grainy(page: Image.Image, spread: int) -> Image.Image:
    """With up to so many shades more or less on each pixel."""
    grain = Image.frombytes("L", SIZE, Random(1).randbytes(SIZE[0] * SIZE[1]))
    grain = grain.point([128 + (n - 128) * spread // 128 for n in range(256)])
    return ImageChops.add(page, grain, offset=-128)


def written(page: Image.Image, fainter: int, words: str = "Invoice 4711 of Acme") -> Image.Image:
    """With words that are so many shades darker than paper."""
    pen = ImageDraw.Draw(page)
    pen.text((100, 200), words, fill=PAPER - fainter, font=ImageFont.load_default(18))
    return page


def compressed(page: Image.Image, quality: int) -> Image.Image:
    kept = io.BytesIO()
    page.save(kept, "JPEG", quality=quality)
    return Image.open(kept)


def test_paper_alone_is_empty_however_grey_grainy_or_shaded_it_is():
    for page in (
        paper(255),
        paper(0),
        Image.new("RGB", SIZE, "ivory"),
        grainy(paper(), 2),
        grainy(paper(), 6),
        grainy(paper(), 24),
        shaded(190, 250),
        grainy(shaded(190, 245), 8),
        compressed(grainy(shaded(200, 240), 12), 75),
    ):
        assert is_blank(page)


def test_writing_makes_a_page_however_faint_or_little_it_is():
    for page in (
        written(paper(), PAPER),
        written(paper(), 8),
        written(paper(), -20),
        written(paper(), PAPER, words="7"),
        grainy(written(paper(), 12), 3),
        grainy(written(paper(), 40, words="12"), 12),
        grainy(written(paper(), PAPER, words="\n".join(["so on and on " * 9] * 55)), 100),
        compressed(grainy(written(paper(), 20), 3), 75),
        scans.drawn("Dear Sir or Madam")[0],
        Image.effect_noise(SIZE, 60),  # a photograph, from afar
    ):
        assert not is_blank(page)


def test_a_page_full_of_faint_print_is_no_empty_sheet():
    for size, leading, fainter, margin in (
        (15, 1.2, 33, 100),
        (20, 1.3, 40, 100),
        (14, 1.0, 50, 0),
        (10, 1.0, 60, 0),
        (15, 1.2, 25, 0),
    ):
        for spread in (0, 3):
            page = full(size, leading, fainter, margin)
            assert not is_blank(grainy(page, spread) if spread else page)


def full(size: int, leading: float, fainter: int, margin: int) -> Image.Image:
    """A page with lines of print from margin to margin."""
    page = paper()
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size)
    for y in range(margin, SIZE[1] - margin, round(size * leading)):
        pen.text((margin, y), "minimum hum of women " * 20, fill=PAPER - fainter, font=font)
    pen.rectangle((SIZE[0] - margin, 0, SIZE[0], SIZE[1]), fill=PAPER)
    return page
