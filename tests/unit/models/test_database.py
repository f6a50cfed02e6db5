from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from models import database
from models.errors import ServiceAway


def test_the_newest_revision_is_the_one_that_alembic_finds():
    scripts = ScriptDirectory(str(database.MIGRATIONS))
    assert [database.head_revision()] == scripts.get_heads()
    for script in scripts.walk_revisions():
        assert Path(script.path).name.partition("_")[0] == script.revision


@pytest.mark.parametrize("url", ["postgresql://u:secret@127.0.0.1:1/d", "postgresql:///d?host=/no"])
def test_a_postgres_that_is_away_is_said_with_its_address_and_without_its_password(
    monkeypatch, url
):
    monkeypatch.setenv("DATABASE_URL", url)
    for use in (database.make_ready, database.current_revision, database.upgrade):
        with pytest.raises(
            ServiceAway, match=r"^Postgres does not answer at postgresql://"
        ) as said:
            use()
        assert "secret" not in str(said.value)
        assert len(str(said.value).splitlines()) == 1
