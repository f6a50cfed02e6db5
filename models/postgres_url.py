"""A Postgres URL: read as leniently as people write it, written as libpq takes it."""

import re
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote

from models.errors import ConfigError

PARTS = re.compile(
    r"(?P<scheme>[\w+]+)://"
    r"(?:(?P<user>[^:/]*)(?::(?P<password>[^@]*))?@)?"  # a password may hold / ? # and spaces
    r"(?P<hosts>[^/?]*)"
    r"(?:/(?P<database>[^?]*))?"
    r"(?:\?(?P<options>.*))?",
    re.DOTALL,
)
HOST = r"(?:\[[^][@]*\]|[^][:,@]*)(?::\d+)?"
HOSTS = re.compile(f"{HOST}(?:,{HOST})*", re.ASCII)

SCHEMES = ("postgresql", "postgres")
SECRETS = ("password", "sslpassword")
SAFE = "+*"

NO_URL = (
    "DATABASE_URL is not a URL: write postgresql://user:password@host:5432/database, "
    "with @ and : in the password as %40 and %3A"
)


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """The parts of a URL, decoded; `hosts` is as it was written, with ports and commas."""

    user: str | None
    password: str | None = field(repr=False)
    hosts: str
    database: str | None
    options: tuple[tuple[str, str], ...] = field(repr=False)

    def __str__(self) -> str:
        """The URL that libpq takes, every part encoded."""
        secret = "" if self.password is None else f":{quote(self.password, SAFE)}"
        account = "" if self.user is None else f"{quote(self.user, SAFE)}{secret}@"
        database = "" if self.database is None else f"/{quote(self.database, SAFE)}"
        options = "&".join(f"{quote(key, '')}={quote(value, '')}" for key, value in self.options)
        return f"postgresql://{account}{self.hosts}{database}{'?' if options else ''}{options}"

    def shown(self) -> str:
        """The URL for people: without its passwords."""
        options = tuple(option for option in self.options if option[0] not in SECRETS)
        password = None if self.password is None else "***"
        return str(replace(self, password=password, options=options))


def read(url: str) -> PostgresUrl:
    """Any way to write it: `postgres://`, or with a driver that is named, `postgresql+psycopg://`.

    Raises ConfigError, which repeats nothing of the URL but a wrong scheme: any other part of it
    may be the password.
    """
    parts = PARTS.fullmatch(url)
    if parts is None or not HOSTS.fullmatch(parts["hosts"]):
        raise ConfigError(NO_URL)
    scheme = parts["scheme"].partition("+")[0]
    if scheme not in SCHEMES:
        raise ConfigError(f"DATABASE_URL must start with postgresql://, found {scheme}://")
    pairs = (option.partition("=") for option in (parts["options"] or "").split("&") if option)
    return PostgresUrl(
        user=_decoded(parts["user"]),
        password=_decoded(parts["password"]),
        hosts=parts["hosts"],
        database=_decoded(parts["database"]),
        options=tuple((unquote(key), unquote(value)) for key, _, value in pairs),
    )


def _decoded(part: str | None) -> str | None:
    return None if part is None else unquote(part)
