import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from models.errors import ConfigError
from models.postgres_url import PostgresUrl, read


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+psycopg://h/d", "postgresql://h/d"),
        ("postgresql+asyncpg://h/d", "postgresql://h/d"),
        ("postgres+psycopg2://h/d", "postgresql://h/d"),
        ("postgresql://d@/d?host=/run/x&port=5432", "postgresql://d@/d?host=%2Frun%2Fx&port=5432"),
        ("postgresql://u:a+b://c@h/d", "postgresql://u:a+b%3A%2F%2Fc@h/d"),
        ("postgresql://u:50%secret@h/d", "postgresql://u:50%25secret@h/d"),
        ("postgresql://u:a/b#c d@h/d", "postgresql://u:a%2Fb%23c%20d@h/d"),
        ("postgresql://me@server:p@h/d", "postgresql://me%40server:p@h/d"),
        ("postgresql://h/a b", "postgresql://h/a%20b"),
        ("postgresql://[::1]:5/d", "postgresql://[::1]:5/d"),
        ("postgresql://a:1,b:2/d?target_session_attrs=any",) * 2,
        ("postgresql://h/d?options=-c%20x%3D1+2", "postgresql://h/d?options=-c%20x%3D1%2B2"),
        ("postgresql:///d", "postgresql:///d"),
        ("postgresql://", "postgresql://"),
    ],
)
def test_every_way_to_write_a_postgres_url_becomes_the_one_that_libpq_takes(url, expected):
    assert str(read(url)) == expected
    assert str(read(expected)) == expected
    conninfo_to_dict(expected)


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
URLS = st.builds(
    PostgresUrl,
    user=WORDS,
    password=st.none() | WORDS,
    hosts=st.sampled_from(["h", "h:5432", "[::1]:1"]),
    database=WORDS.filter(bool),
    options=st.just(()) | st.tuples(st.tuples(st.just("application_name"), WORDS.filter(bool))),
)


@given(URLS)
def test_what_stands_in_a_url_arrives_at_libpq_and_at_sqlalchemy(url):
    assert read(str(url)) == url
    found, known = conninfo_to_dict(str(url)), make_url(str(url))
    assert (found.get("user", ""), found.get("password")) == (url.user, url.password or None)
    assert (known.username, known.password) == (url.user, url.password)
    assert found["dbname"] == url.database
    assert tuple((key, found[key]) for key, _ in url.options) == url.options


@given(st.text(st.characters(exclude_characters="@", codec="utf-8"), min_size=1, max_size=12))
def test_a_password_that_nobody_encoded_is_read_as_sqlalchemy_reads_it(password):
    url = f"postgresql://u:{password}@h/d"
    assert read(url).password == make_url(url).password


@pytest.mark.parametrize(
    "url",
    [
        *("mysql://h/d", "sqlite:///x.db", "http://h", "h:5432", "", "postgresql://h:port/d"),
        *("postgresql://u:p@ss:secret@h/d", "postgresql://u:p@secret@h/d"),
        "postgresql://u:p@ss:secret/d",
    ],
)
def test_a_url_that_cannot_be_read_is_refused_without_a_part_of_its_password(url):
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        read(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


def test_no_password_is_shown():
    url = read("postgres://u:secret@h/d?password=secret&sslmode=require&sslpassword=secret")
    assert url.shown() == "postgresql://u:***@h/d?sslmode=require"
    assert "secret" not in repr(url)
