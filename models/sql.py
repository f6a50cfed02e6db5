"""SQL statements live in files of their own, beside the package that runs them."""

from functools import cache
from importlib import resources


@cache
def load_sql(package: str, name: str) -> str:
    """The statement `name`.sql of a package's sql folder."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text("utf-8")
