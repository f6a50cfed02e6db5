import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import make_url

from models import database
from models.database import conninfo, head_revision, safe_url
from models.errors import ConfigError


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
    ],
)
def test_every_way_to_write_a_postgres_url_becomes_the_one_that_psycopg_takes(url, expected):
    assert conninfo(url) == expected
    assert conninfo(conninfo(url)) == expected
    assert conninfo_to_dict(expected).get("password") == make_url(expected).password


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite:///x.db", "h:5432", "", "http://h"])
def test_a_url_that_is_no_postgres_is_refused(monkeypatch, url):
    monkeypatch.setattr(database, "database_url", lambda: url)
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        database.engine.__wrapped__()


@pytest.mark.parametrize("url", ["postgresql://u:p@ss:secret@h/d", "postgresql://u:p@secret@h/d"])
def test_what_is_said_of_a_url_that_cannot_be_read_holds_no_part_of_its_password(url):
    with pytest.raises(ConfigError, match="%40") as caught:
        conninfo(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_password_is_not_shown(monkeypatch):
    monkeypatch.setattr(database, "database_url", lambda: "postgres://u:secret@h/d")
    assert safe_url() == "postgresql://u:***@h/d"


def test_there_is_one_newest_revision():
    assert head_revision()
