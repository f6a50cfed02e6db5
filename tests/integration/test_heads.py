"""Where a look into a line begins moves on in every line, however many are open."""

from typing import Any

from models.sql import load_sql

OPEN = 130

SEED = f"""
INSERT INTO configurations (file, settings) VALUES ('{{}}', '{{}}');
INSERT INTO batches (state, local_only, priority, configuration_id)
SELECT 'running', false, 0, (SELECT max(id) FROM configurations) FROM generate_series(1, {OPEN});
INSERT INTO lines (batch_id, queue, stage, zone, engine, model, priority, open)
SELECT id, 'local/m', 'run', 'local', 'local', 'm', 0, true FROM batches;
INSERT INTO waiting (line_id, item_id) SELECT id, id FROM lines;
"""


def look_at_all(db: Any) -> None:
    """As the leader does, look by look; the last one has nothing left to look at."""
    after = 0
    for _ in range(OPEN):
        [last] = db.execute(load_sql("worker", "flow/move_heads"), {"after": after}).fetchone()
        after = last or 0
        if not after:
            break
    assert after == 0


def behind(db: Any) -> int:
    """Lines that are looked at from their beginning."""
    [lines] = db.execute("SELECT count(*) FROM lines WHERE head = 0").fetchone()
    return lines


def test_the_heads_of_all_open_lines_move_on_look_by_look(db: Any) -> None:
    for statement in filter(str.strip, SEED.split(";")):
        db.execute(statement)
    assert behind(db) == OPEN
    look_at_all(db)
    assert behind(db) == 0


def test_lines_in_which_nothing_changes_keep_none_of_the_others_from_their_turn(db: Any) -> None:
    for statement in filter(str.strip, SEED.split(";")):
        db.execute(statement)
    look_at_all(db)
    db.execute("UPDATE lines SET head = 0 WHERE id = (SELECT max(id) FROM lines)")
    look_at_all(db)
    assert behind(db) == 0
