"""What is taken out of archives, and what is left in them."""

import io
import random
import stat
import tarfile
import zipfile

import pytest

from models.archives import MOST_RATIO, Budget, Left, Member, members
from models.kinds import BZIP2, GZIP, MBOX, TAR, XZ, ZIP, kind_of
from tests import office

FILES = {"a.txt": b"one", "in/b.txt": b"two"}
NOISE = random.Random(7).randbytes(200_000)


def found(data: bytes, kind: str, name: str = "x", **budget: int) -> list[Member | Left]:
    return list(
        members(io.BytesIO(data), kind, name, Budget(**{"member_bytes": 20 << 20, **budget}))
    )


def left(data: bytes, kind: str, **budget: int) -> list[tuple[str, str]]:
    return [
        (one.name, one.category) for one in found(data, kind, **budget) if isinstance(one, Left)
    ]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (ZIP, office.zipped(FILES)),
        (TAR, office.tarred(FILES)),
        (GZIP, office.PACKERS["gz"](office.tarred(FILES))),
        (BZIP2, office.PACKERS["bz2"](office.tarred(FILES))),
        (XZ, office.PACKERS["xz"](office.tarred(FILES))),
    ],
)
def test_every_archive_is_walked_in_its_order(kind, data):
    assert kind_of("a", io.BytesIO(data)) == kind
    assert found(data, kind) == [Member(name, text) for name, text in FILES.items()]


def test_a_compressed_file_is_the_one_file_that_it_is():
    for ending, pack in office.PACKERS.items():
        data = pack(b"a text")
        kind = kind_of("", io.BytesIO(data))
        assert found(data, str(kind), f"dir/a.txt.{ending}") == [Member("a.txt", b"a text")]


def test_mails_of_a_mailbox_are_numbered_and_their_quoted_lines_mended():
    data = office.mailbox(b"Subject: a\n\nFrom here on.\n", b"Subject: b\n\ntwo\n")
    assert kind_of("a", io.BytesIO(data)) == MBOX
    assert found(data, MBOX) == [
        Member("1.eml", b"Subject: a\n\nFrom here on.\n\n"),
        Member("2.eml", b"Subject: b\n\ntwo\n\n"),
    ]


def test_folders_and_hidden_files_are_passed_over():
    data = office.zipped({"__MACOSX/a": "x", ".DS_Store": "x", "a/.b": "x", "d/": "", "a/b": "x"})
    assert [one.name for one in found(data, ZIP)] == ["a/b"]


def test_a_link_is_left_and_said_and_is_not_the_name_of_where_it_leads():
    tar, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, kind in (("hard", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(f"./{name}")
            link.type, link.linkname = kind, "a.txt"
            archive.addfile(link)
        pipe, folder = tarfile.TarInfo("pipe"), tarfile.TarInfo("folder")
        pipe.type, folder.type = tarfile.FIFOTYPE, tarfile.DIRTYPE
        archive.addfile(pipe)
        archive.addfile(folder)
    names = ("hard", "soft", "pipe")
    assert left(tar.getvalue(), TAR) == [(name, "not_entered") for name in names]
    info = zipfile.ZipInfo("soft")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(zipped, "w") as packed:
        packed.writestr(info, "a.txt")
    assert left(zipped.getvalue(), ZIP) == [("soft", "not_entered")]


@pytest.mark.parametrize(
    ("kind", "data", "fate"),
    [
        (ZIP, office.zipped({"a": bytes(15 << 20), "b": "x"}), [("a", "archive_bomb")]),
        (ZIP, office.zipped({"a": bytes(30 << 20)}), [("a", "too_large")]),
        (GZIP, office.PACKERS["gz"](bytes(15 << 20)), [("", "archive_bomb")]),
        (GZIP, office.PACKERS["gz"](office.tarred({"a": bytes(15 << 20)})), [("", "archive_bomb")]),
        (XZ, office.PACKERS["xz"](bytes(15 << 20)), [("", "archive_bomb")]),
        (BZIP2, office.PACKERS["bz2"](bytes(15 << 20)), [("", "archive_bomb")]),
        (TAR, office.tarred({"a": bytes(21 << 20), "b": b"x"}), [("a", "too_large")]),
        (ZIP, b"PK\3\4 no zip", [("", "damaged")]),
        (ZIP, office.zipped({"a": NOISE})[:-100_000], [("", "damaged")]),
        (GZIP, office.PACKERS["gz"](NOISE)[:-100], [("", "damaged")]),
        (XZ, b"\xfd7zXZ\0 no xz", [("", "damaged")]),
        (TAR, b"a".ljust(257) + b"ustar" + b"b" * 600, [("", "damaged")]),
    ],
)
def test_what_is_hostile_is_left_and_said(kind, data, fate):
    assert left(data, kind) == fate


def test_a_member_that_lies_of_its_size_is_damaged():
    data = office.zipped({"a": NOISE, "b": "fine"})
    at = data.index(b"PK\1\2")
    lied = data[: at + 24] + (50).to_bytes(4, "little") + data[at + 28 :]
    wrong, fine = found(lied, ZIP)
    assert isinstance(wrong, Left)
    assert wrong.category == "damaged"
    assert fine == Member("b", b"fine")


def test_files_that_overlap_are_not_unpacked_again_and_again():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("kernel", NOISE)
        for number in range(50):
            info = zipfile.ZipInfo(f"again{number}")
            first = archive.infolist()[0]
            info.header_offset, info.compress_size = first.header_offset, first.compress_size
            info.file_size, info.CRC, info.compress_type = first.file_size, first.CRC, 8
            archive.filelist.append(info)
    assert len(left(buffer.getvalue(), ZIP)) == 50


def test_what_is_taken_is_bounded_in_all():
    many = office.zipped({f"{n}": "x" * 100 for n in range(20)})
    assert left(many, ZIP, members=10) == [("", "archive_bomb")]
    assert len(found(many, ZIP, members=10)) == 11
    assert left(many, ZIP, total=1_000) == [("", "archive_bomb")]


def test_one_budget_is_for_all_that_is_nested():
    budget = Budget(1 << 20, members=3)
    for _ in range(2):
        list(members(io.BytesIO(office.zipped(FILES)), ZIP, "x", budget))
    (last,) = members(io.BytesIO(office.zipped(FILES)), ZIP, "x", budget)
    assert isinstance(last, Left)


def test_honest_text_never_looks_like_a_bomb():
    text = b"".join(
        b"2026-01-14 09:30:00 INFO cold store %d reads -18.5\n" % (n % 90) for n in range(400_000)
    )
    assert len(text) > 10 << 20
    packed = office.zipped({"a.log": text})
    assert len(text) / len(packed) < MOST_RATIO
    assert left(packed, ZIP) == []
