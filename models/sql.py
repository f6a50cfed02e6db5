"""SQL statements live in files of their own, beside the package that runs them."""

from functools import cache
from pathlib import Path

PACKAGES = Path(__file__).parent.parent


@cache
def load_sql(package: str, name: str) -> str:
    """The statement `name`.sql of a package's sql folder."""
    return (PACKAGES / package / "sql" / f"{name}.sql").read_text("utf-8")
