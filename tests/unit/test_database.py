import pytest

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
        ("postgresql://d@/d?host=/run/x&port=5432", "postgresql://d@/d?host=/run/x&port=5432"),
        ("postgresql://u:a+b://c@h/d", "postgresql://u:a+b://c@h/d"),
    ],
)
def test_every_way_to_write_a_postgres_url_becomes_the_one_that_psycopg_takes(url, expected):
    assert conninfo(url) == expected
    assert conninfo(conninfo(url)) == expected


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite:///x.db", "h:5432", "", "http://h"])
def test_a_url_that_is_no_postgres_is_refused(monkeypatch, url):
    monkeypatch.setattr(database, "database_url", lambda: url)
    with pytest.raises(ConfigError, match="DATABASE_URL"):
        database.engine.__wrapped__()


def test_the_password_is_not_shown(monkeypatch):
    monkeypatch.setattr(database, "database_url", lambda: "postgres://u:secret@h/d")
    assert safe_url() == "postgresql://u:***@h/d"


def test_there_is_one_newest_revision():
    assert head_revision()
