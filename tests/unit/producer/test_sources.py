import gzip
import io
import json
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.archives import MEBIBYTE
from models.kinds import DOCX, MAIL, PLAIN
from producer.places import Refused
from producer.sources import Accepted, Source, gather
from tests import office

NO_STDIN = io.BytesIO()


def gathered(*paths: object, stdin: bytes = b"", file_mb: int = 1) -> list[Source]:
    return list(gather([str(path) for path in paths], io.BytesIO(stdin), file_mb))


def named(root: Path, sources: list[Source]) -> list[str]:
    return [str(Path(source.path).relative_to(root)) for source in sources]


def put(root: Path, *names: str, data: bytes = b"text") -> list[Path]:
    files = [root / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return files


def refusal(sources: list[Source]) -> Refused:
    (source,) = sources
    assert isinstance(source, Refused)
    assert source.path in source.message or source.path.replace(":", ", line ") in source.message
    return source


# --- what is found --------------------------------------------------------------------------------


def test_a_file_is_a_document_of_the_path_as_it_was_given(tmp_path, monkeypatch):
    put(tmp_path, "docs/a.txt")
    monkeypatch.chdir(tmp_path)
    assert gathered("docs/a.txt") == [Accepted("docs/a.txt", PLAIN, b"text")]
    assert gathered("./docs/../docs/a.txt")[0].data == b"text"


def test_a_folder_stands_for_every_file_below_it_by_name(tmp_path):
    put(tmp_path, "b.txt", "a/z.txt", "a/b/c.md", "c.txt")
    assert named(tmp_path, gathered(tmp_path)) == ["a/b/c.md", "a/z.txt", "b.txt", "c.txt"]


def test_hidden_files_and_folders_are_passed_over_unless_they_are_named(tmp_path):
    put(tmp_path, "a.txt", ".hidden.txt", ".git/config", "sub/.cache/x.txt", "sub/b.txt")
    assert named(tmp_path, gathered(tmp_path)) == ["a.txt", "sub/b.txt"]
    assert named(tmp_path, gathered(tmp_path / ".hidden.txt")) == [".hidden.txt"]
    assert named(tmp_path, gathered(tmp_path / ".git")) == [".git/config"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["a.txt", "b.txt"]),
        ("?.md", ["c.md"]),
        ("[ab].txt", ["a.txt", "b.txt"]),
        ("**/*.txt", ["a.txt", "b.txt", "sub/d.txt"]),
        ("sub*", ["sub/d.txt"]),
        ("*", ["a.txt", "b.txt", "c.md", "sub/d.txt"]),
    ],
)
def test_a_glob_stands_for_what_it_matches(tmp_path, pattern, found):
    put(tmp_path, "a.txt", "b.txt", "c.md", "sub/d.txt", ".e.txt")
    assert named(tmp_path, gathered(tmp_path / pattern)) == found


@pytest.mark.parametrize("name", ["[draft] a.txt", "a[1].txt", "what?.txt", "x*.txt", "[a].txt"])
def test_a_name_with_brackets_that_exists_is_a_name_and_not_a_glob(tmp_path, name):
    put(tmp_path, name, "a1.txt", "xy.txt", "a.txt", "whatx.txt")
    assert named(tmp_path, gathered(tmp_path / name)) == [name]


def test_a_folder_with_brackets_is_a_folder(tmp_path):
    put(tmp_path, "[2024]/a.txt", "2/b.txt")
    assert named(tmp_path, gathered(tmp_path / "[2024]")) == ["[2024]/a.txt"]


def test_each_file_counts_once_however_often_it_is_named(tmp_path):
    a, _ = put(tmp_path, "a.txt", "b.txt")
    (tmp_path / "link.txt").symlink_to(a)
    found = gathered(a, tmp_path, tmp_path / "*.txt", tmp_path / "." / "a.txt")
    assert named(tmp_path, found) == ["a.txt", "b.txt"]


def test_files_of_equal_content_are_different_documents(tmp_path):
    put(tmp_path, "a.txt", "b.txt")
    assert len(gathered(tmp_path)) == 2


def test_links_that_are_not_followed_are_named(tmp_path):
    put(tmp_path, "a.txt", "z/b.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "missing")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = gathered(tmp_path)
    assert named(tmp_path, found) == ["a.txt", "gone.txt", "loop", "z/b.txt"]
    gone, loop = (refusal([one]) for one in found[1:3])
    assert gone.category == loop.category == "not_entered"
    assert gone.message.endswith("this link to nothing that can be read was not followed")
    assert loop.message.endswith("this link to a folder was not followed")


def test_a_link_to_a_folder_that_is_named_is_entered(tmp_path):
    put(tmp_path, "there/a.txt")
    (tmp_path / "here").symlink_to(tmp_path / "there")
    assert named(tmp_path, gathered(tmp_path / "here")) == ["here/a.txt"]


def test_what_is_no_file_in_a_folder_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(gathered(tmp_path)).category == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_named_and_the_others_are(tmp_path):
    put(tmp_path, "shut/a.txt", "z.txt")
    (tmp_path / "shut").chmod(0)
    try:
        shut, other = gathered(tmp_path)
        assert refusal(gathered(tmp_path / "shut")).category == "not_entered"
    finally:
        (tmp_path / "shut").chmod(0o700)
    assert refusal([shut]).category == "not_entered"
    assert other.path.endswith("z.txt")


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are(tmp_path, monkeypatch):
    put(tmp_path, "shut/a.txt", "z.txt")
    listed = os.listdir

    def denied(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "listdir", denied)
    shut, other = gathered(tmp_path)
    assert refusal([shut]).message.endswith("shut: it was not entered: Permission denied")
    assert other.path.endswith("z.txt")


def test_documents_come_in_the_order_of_the_paths(tmp_path):
    a, b = put(tmp_path, "a.txt", "b.txt")
    assert named(tmp_path, gathered(b, a)) == ["b.txt", "a.txt"]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing.txt", "missing/*.txt", "[a", ""])
def test_what_does_not_exist_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    path = str(tmp_path / name) if name else "nothing-here"
    assert refusal(gathered(path)).category == "not_found"


def test_an_empty_folder_is_refused(tmp_path):
    assert refusal(gathered(tmp_path)).category == "not_found"


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n "])
@pytest.mark.parametrize("name", ["a.txt", "a.pdf", "a.jsonl"])
def test_an_empty_file_is_refused(tmp_path, name, data):
    (file,) = put(tmp_path, name, data=data)
    assert refusal(gathered(file)).category == "empty"


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_not(tmp_path):
    put(tmp_path, "a.txt", data=b"x" * MEBIBYTE)
    put(tmp_path, "b.txt", data=b"x" * (MEBIBYTE + 1))
    at, over = gathered(tmp_path)
    assert isinstance(at, Accepted)
    assert refusal([over]).category == "too_large"
    assert "limits.file_mb" in over.message


def test_a_file_that_cannot_be_read_is_refused_and_the_rest_goes_on(tmp_path, monkeypatch):
    a, b = put(tmp_path, "a.txt", "b.txt")
    opened = Path.open

    def fails(path: Path, mode: str) -> object:
        if path.name == "a.txt":
            raise PermissionError(13, "Permission denied")
        return opened(path, mode)

    monkeypatch.setattr(Path, "open", fails)
    refused, accepted = gathered(a, b)
    assert refusal([refused]).category == "unreadable"
    assert "Permission denied" in refused.message
    assert isinstance(accepted, Accepted)


NO_UTF8 = b"caf\xe9.txt"


@pytest.mark.parametrize(("data", "kind"), [(b"text", Accepted), (b"", Refused)])
def test_a_name_that_is_no_text_is_written_as_text(tmp_path, data, kind):
    (tmp_path / os.fsdecode(NO_UTF8)).write_bytes(data)
    for path in (tmp_path, tmp_path / os.fsdecode(NO_UTF8), tmp_path / "*.txt"):
        (source,) = gathered(path)
        assert isinstance(source, kind)
        assert source.path == f"{tmp_path}/caf\\xe9.txt"
    missing = refusal(gathered(os.fsdecode(b"\xff")))
    assert (missing.path, missing.category) == ("\\xff", "not_found")


@given(st.text(st.characters(), max_size=20))
def test_every_id_becomes_a_name_that_can_be_stored_and_printed(given_id):
    (source,) = gathered("-", stdin=lines({"text": "x", "id": given_id}))
    assert "\0" not in source.path
    source.path.encode("utf-8")


def test_a_name_that_is_too_long_is_refused():
    assert refusal(gathered("x" * 5_000)).category == "not_found"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"%PDF-1.7\n\x00\x01\x02", "application/pdf"),
        (b"\n\n %PDF-1.4 rest", "application/pdf"),
        (b"plain text", PLAIN),
        ("क्षेत्र में बिजली".encode(), PLAIN),
        ("latin ä ö ü".encode("latin-1"), PLAIN),
        ("text with a mark".encode("utf-16"), PLAIN),
        (b"\x1b[31mred\x1b[0m log line\n\x0c", PLAIN),
        (b"text with one \x00 in it", PLAIN),
        (b"<html><body>x</body></html>", "text/html"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01", "image/png"),
        (b"GIF89a\x01\x00\x01\x00\x00\x00\x00", None),
        (b"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00", None),
        (bytes(range(256)), None),
        (b"\x00" * 100, None),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "noending", "a.xyz"])
def test_binary_files_are_told_from_text_by_their_bytes(tmp_path, name, data, media_type):
    (file,) = put(tmp_path, name, data=data)
    found = gathered(file)
    if media_type is None:
        assert refusal(found).category == "unsupported_type"
    else:
        assert found == [Accepted(str(file), media_type, data)]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html"),
        ("a.HTM", "text/html"),
        ("a.xhtml", "text/html"),
        ("a.md", "text/markdown"),
        ("a.Markdown", "text/markdown"),
        ("a.csv", "text/csv"),
        ("a.pdf", "application/pdf"),
        ("a.PDF", "application/pdf"),
    ],
)
def test_the_ending_names_the_type_of_a_text(tmp_path, name, media_type):
    (file,) = put(tmp_path, name)
    assert gathered(file)[0].media_type == media_type


def test_binary_after_the_first_eight_kilobytes_is_the_readers_concern(tmp_path):
    (file,) = put(tmp_path, "a.txt", data=b"x" * 8_192 + b"\x00" * 100_000)
    assert isinstance(gathered(file)[0], Accepted)


# --- JSON lines -----------------------------------------------------------------------------------


def lines(*values: object) -> bytes:
    return "\n".join(json.dumps(value) for value in values).encode()


def test_each_json_line_is_a_document_named_by_its_id_or_else_its_line(tmp_path):
    data = lines({"text": "one", "id": "x1"}, {"text": "two"}, {"text": "three", "id": 7})
    (file,) = put(tmp_path, "m.jsonl", data=data)
    assert gathered(file) == [
        Accepted(f"{file}#x1", PLAIN, b"one"),
        Accepted(f"{file}#2", PLAIN, b"two"),
        Accepted(f"{file}#7", PLAIN, b"three"),
    ]


def test_a_line_whose_id_names_nothing_is_named_by_its_number(tmp_path):
    ids = [None, "", "  ", [], {"a": 1}, True]
    (file,) = put(tmp_path, "m.jsonl", data=lines(*({"text": "x", "id": given} for given in ids)))
    assert [source.path for source in gathered(file)] == [
        f"{file}#{number}" for number in range(1, len(ids) + 1)
    ]


def test_each_line_has_a_name_of_its_own_whatever_their_ids(tmp_path):
    data = lines(
        {"text": "x", "id": 2}, {"text": "x"}, {"text": "x", "id": "2"}, {"text": "x", "id": 1.5}
    )
    (file,) = put(tmp_path, "m.jsonl", data=data)
    assert [source.path.removeprefix(str(file)) for source in gathered(file)] == [
        "#2",
        "#2 (line 2)",
        "#2 (line 3)",
        "#1.5",
    ]


def test_blank_lines_are_passed_over_and_still_counted(tmp_path):
    (file,) = put(tmp_path, "m.jsonl", data=b'\n \n{"text": "x"}\r\n\n')
    assert gathered(file) == [Accepted(f"{file}#3", PLAIN, b"x")]


@pytest.mark.parametrize(
    ("line", "category"),
    [
        (b"not json", "bad_line"),
        (b'{"text": "cut', "bad_line"),
        (b'{"body": "x"}', "bad_line"),
        (b'{"text": 5}', "bad_line"),
        (b'["text"]', "bad_line"),
        (b"3", "bad_line"),
        (b"\xff\xfe\xff", "bad_line"),
        (b'{"text": ""}', "empty"),
        (b'{"text": " \\n "}', "empty"),
    ],
)
def test_a_bad_line_is_refused_by_number_and_the_others_go_on(tmp_path, line, category):
    (file,) = put(tmp_path, "m.jsonl", data=b'{"text": "a"}\n' + line + b'\n{"text": "b"}')
    first, bad, last = gathered(file)
    assert refusal([bad]).category == category
    assert bad.path in (f"{file}:2", f"{file}#2")
    assert (first.data, last.data) == (b"a", b"b")


@pytest.mark.parametrize("nested", [b"[" * 5_000, b'{"text": ' * 5_000])
def test_a_line_that_is_nested_too_deeply_is_refused(tmp_path, nested):
    (file,) = put(tmp_path, "m.jsonl", data=nested)
    assert refusal(gathered(file)).category == "bad_line"


@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=8))
@settings(max_examples=50)
def test_every_text_of_a_jsonl_comes_through(texts):
    data = b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)
    found = list(gather(["-"], io.BytesIO(data), 1)) if data else []
    accepted = [source.data.decode() for source in found if isinstance(source, Accepted)]
    assert accepted == [text for text in texts if text.encode().strip()]
    assert len(found) == len(texts)


def test_json_lines_may_be_compressed_and_longer_than_a_file_may_be(tmp_path):
    data = lines(*({"text": "x" * 1_000, "id": n} for n in range(2_000)))
    plain, packed = put(tmp_path, "a.jsonl", data=data)[0], tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(data))
    for file in (plain, packed):
        found = list(gather([str(file)], io.BytesIO(), file_mb=1))
        assert [source.path for source in found] == [f"{file}#{n}" for n in range(2_000)]
    packed.write_bytes(gzip.compress(data)[:-9])
    assert refusal(gathered(packed)[-1:]).category == "damaged"


def test_a_line_that_has_no_end_is_not_taken_into_memory(tmp_path):
    (file,) = put(tmp_path, "a.jsonl", data=b'{"text": "a"}\n{"text": "' + b"x" * (2 << 20) + b'"}')
    first, last = gather([str(file)], io.BytesIO(), file_mb=1)
    assert isinstance(first, Accepted)
    assert refusal([last]).category == "too_large"


def test_lines_behind_one_that_is_too_long_are_read(tmp_path):
    long = b'{"text": "' + b"x" * (3 << 20) + b'"}'
    data = b"\n".join([b'{"text": "a"}', long, b'{"text": "b"}', long, b'{"text": "c"}'])
    plain, packed = put(tmp_path, "a.jsonl", data=data)[0], tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(data))
    for file in (plain, packed):
        found = list(gather([str(file)], io.BytesIO(), file_mb=1))
        assert [one.path.removeprefix(str(file)) for one in found] == ["#1", ":2", "#3", ":4", "#5"]
        assert [one.data for one in found if isinstance(one, Accepted)] == [b"a", b"b", b"c"]
        assert {one.category for one in found if isinstance(one, Refused)} == {"too_large"}


def test_compressed_lines_that_grow_like_a_bomb_are_refused(tmp_path):
    (file,) = put(tmp_path, "a.jsonl.gz", data=gzip.compress(b'{"text": "a"}\n' + bytes(64 << 20)))
    *_, last = gather([str(file)], io.BytesIO(), file_mb=1)
    assert refusal([last]).category == "archive_bomb"


# --- archives -------------------------------------------------------------------------------------


def test_each_file_of_an_archive_is_a_document_named_by_its_path_in_it(tmp_path):
    inner = office.zipped({"deep.html": "<html>x"})
    parts = {"a/lease.docx": office.word(), "mails.mbox": office.mailbox(office.mail()), "b": ""}
    files = {
        **parts,
        "in.zip": inner,
        "m.jsonl": lines({"text": "one", "id": "x"}),
        "c.bin": b"\0\1" * 99,
    }
    (file,) = put(tmp_path, "all.zip", data=office.zipped(files))
    found = gathered(file)
    accepted = [(s.path, s.media_type) for s in found if isinstance(s, Accepted)]
    assert accepted == [
        (f"{file}/a/lease.docx", DOCX),
        (f"{file}/mails.mbox/1.eml", MAIL),
        (f"{file}/in.zip/deep.html", "text/html"),
        (f"{file}/m.jsonl#x", PLAIN),
    ]
    refused = [(s.path, s.category) for s in found if isinstance(s, Refused)]
    assert refused == [(f"{file}/b", "empty"), (f"{file}/c.bin", "unsupported_type")]


def test_an_archive_may_be_larger_than_a_file_may_be_and_its_files_may_not(tmp_path):
    noise = random.Random(7).randbytes(400_000).hex().encode()
    files = {f"{n}.txt": noise for n in range(4)} | {"large.txt": noise * 2}
    (file,) = put(tmp_path, "all.tar", data=office.tarred(files))
    *accepted, last = gather([str(file)], io.BytesIO(), file_mb=1)
    assert len(accepted) == 4
    assert all(isinstance(source, Accepted) for source in accepted)
    assert refusal([last]).category == "too_large"


@pytest.mark.parametrize(
    ("data", "category"),
    [
        (office.zipped({"a.txt": bytes(60 << 20)}), "too_large"),
        (office.zipped({"a.txt": bytes(40 << 20)}), "archive_bomb"),
        (
            office.zipped(
                {"a": office.zipped({"a": office.zipped({"a": office.zipped({"a": "x"})})})}
            ),
            "unsupported_type",
        ),
        (office.word()[:-2_000], "damaged"),
        (gzip.compress(b"x" * 9_999, mtime=0)[:-20], "damaged"),
        (office.zipped({}), "empty"),
    ],
    ids=["too large", "bomb", "nested", "cut", "cut gzip", "empty"],
)
def test_hostile_archives_are_refused(tmp_path, data, category):
    (file,) = put(tmp_path, "a.docx", data=data)
    assert refusal(list(gather([str(file)], io.BytesIO(), file_mb=50))).category == category


# --- standard input -------------------------------------------------------------------------------


def test_standard_input_is_one_document():
    assert gathered("-", stdin=b"a text\nof two lines") == [
        Accepted("-", PLAIN, b"a text\nof two lines")
    ]


def test_standard_input_may_be_json_lines():
    found = gathered("-", stdin=b"\n" + lines({"text": "one", "id": "a"}, {"text": "two"}))
    assert [(source.path, source.data) for source in found] == [("-#a", b"one"), ("-#3", b"two")]


@pytest.mark.parametrize("data", [b'{"a": 1}\n{"b": 2}', b"[1, 2]", b'"text"', b"{not json}"])
def test_other_json_on_standard_input_is_a_text(data):
    assert gathered("-", stdin=data) == [Accepted("-", PLAIN, data)]


def test_a_pdf_on_standard_input_is_a_pdf():
    assert gathered("-", stdin=b"%PDF-1.7 ...")[0].media_type == "application/pdf"


@pytest.mark.parametrize(
    ("data", "category"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"x" * (MEBIBYTE + 1), "too_large"),
        (b"\x00\x01\x02\x03", "unsupported_type"),
    ],
)
def test_what_cannot_be_used_on_standard_input_is_refused(data, category):
    assert refusal(gathered("-", stdin=data)).category == category


def test_a_text_of_many_brackets_on_standard_input_is_a_text():
    data = b"[" * 5_000
    assert gathered("-", stdin=data) == [Accepted("-", PLAIN, data)]


def test_files_and_standard_input_may_be_mixed(tmp_path):
    (file,) = put(tmp_path, "a.txt")
    assert [source.path for source in gathered(file, "-", stdin=b"x")] == [str(file), "-"]


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_no_input_makes_it_stumble(data):
    for source in gathered("-", stdin=data):
        assert isinstance(source, Accepted | Refused)


@given(st.lists(st.integers(0, 40) | st.text("ab", min_size=1, max_size=3), min_size=1))
def test_the_first_line_of_an_id_is_called_so_and_each_has_a_name_of_its_own(ids):
    rows = "\n".join(json.dumps({"id": given, "text": "text"}) for given in ids)
    names = [source.path for source in gathered("-", stdin=rows.encode())]
    assert len(set(names)) == len(ids)
    first = {given: number for number, given in reversed(list(enumerate(ids)))}
    plain = [name == f"-#{given}" for name, given in zip(names, ids, strict=True)]
    assert plain == [first[given] == number for number, given in enumerate(ids)]
