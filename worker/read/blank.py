"""Whether a page is an empty sheet. Pure.

What counts is the share of pixels that differ from what is around them by more than the page's own
noise: so paper that a scanner made grey or grainy is empty, and faint writing is not. What is not
sure counts as written.
"""

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageFilter

INK = 2e-5
"""The share of pixels from which on a page is written: a digit of small type has three times as
many, and of Gaussian noise so many are beyond 4.3 of its deviations."""

BEYOND = 5
"""Standard deviations of the noise that nothing but ink differs by."""

LEAST, MOST = 3, 20
"""Shades of 255: what differs by less is no ink, for scanners and JPEG round by as much; what does
by more is ink on any paper, however much of it there is."""

EVENED = 1.5
"""What _GRAIN takes off is so many times the noise that is left at least: 1.7 in a JPEG, and 2.8
where each pixel has its own."""

_GRAIN = ImageFilter.BoxBlur(1)
"""Evens out noise more than the strokes of letters, which are two pixels wide."""

_PAPER = ImageFilter.BoxBlur(24)
"""Over some lines of text: shadows are wider than that."""

_DEVIATIONS = 1.4826
"""Of a normal distribution, in medians of its absolute values."""


def is_blank(image: Image.Image) -> bool:
    """Whether nothing is to be seen on a page but its paper."""
    raw = image.convert("L")
    page = raw.filter(_GRAIN)
    differences = ImageChops.difference(page, page.filter(_PAPER)).histogram()
    # letters that fill a page darken its paper around them, but not from pixel to pixel
    grain = _median(ImageChops.difference(raw, page).histogram()) / EVENED
    noise = min(_median(differences), grain)
    first = int(min(max(BEYOND * _DEVIATIONS * noise, LEAST), MOST)) + 1
    return sum(differences[first:]) < INK * sum(differences)


def _median(counts: Sequence[int]) -> float:
    """Of shades, of each of which there are so many; between two of them, too, for noise is often
    less than one."""
    half, below = sum(counts) / 2, 0
    for shade, count in enumerate(counts):
        if below + count >= half:
            return shade - 0.5 + (half - below) / count
        below += count
    return 0.0
