"""Where files may lie: paths short enough for a socket, folders that another account can enter."""

import hashlib
import os
import pwd
import stat
import tempfile
from pathlib import Path

from models.embedded.server import Account
from models.errors import ConfigError

_SOCKET_PATH_BYTES = 103
"""The shortest limit of the supported systems (macOS), less the closing zero byte."""


def server_account() -> Account | None:
    """The account for a server that refuses to run as root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise ConfigError(
            "The embedded Postgres does not run as root, and there is no user "
            "'nobody': run docmill as another user, or set DATABASE_URL."
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)


def make_home(home: Path) -> None:
    """Make the folder of all embedded data, for its owner alone. A folder that is there stays.

    When root makes it, the group of the servers' account may pass through, but not look around.
    """
    try:
        home.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        return
    account = server_account()
    if account is not None and may_enter(home.parent, account):
        admit(home, account)


def admit(folder: Path, account: Account | None) -> None:
    """Let `account` pass through one folder of ours."""
    if account is not None:
        os.chown(folder, -1, account.gid)
        folder.chmod(0o710)


def give(folder: Path, account: Account | None) -> None:
    """Make `account` the owner of one folder of ours."""
    if account is not None:
        os.chown(folder, account.uid, account.gid)


def may_enter(folder: Path, account: Account) -> bool:
    """Whether the permissions of the folder and of all above it let `account` pass."""
    return all(_may_pass(step.stat(), account) for step in (folder, *folder.parents))


def _may_pass(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)


def socket_folder(wanted: Path, home: Path, file_name: str, account: Account | None) -> Path:
    """A folder for one socket: `wanted`, or a short one where that path is too long.

    The short one lies in the system's temporary folder under a name of our own; the state file in
    the home folder points to it. Raises ConfigError when it belongs to somebody else.
    """
    folder = wanted if _fits(wanted / file_name) else _short_folder(home, wanted.parent.name)
    if not _fits(folder / file_name):
        raise ConfigError(
            f"The path {folder / file_name} is too long for a socket: "
            f"set DOCMILL_HOME or TMPDIR to a shorter one."
        )
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.lstat().st_uid == os.geteuid():
        give(folder, account)
    _refuse_foreign(folder, account.uid if account else os.geteuid())
    return folder


def _fits(path: Path) -> bool:
    # libpq takes a comma for the start of the next host.
    return len(os.fsencode(path)) <= _SOCKET_PATH_BYTES and "," not in str(path)


def _short_folder(home: Path, name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"docmill-{os.geteuid()}-{home_key(home)}-{name}"


def _refuse_foreign(folder: Path, owner: int) -> None:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise ConfigError(f"{folder} was made by somebody else: remove it, or move DOCMILL_HOME.")


def home_key(home: Path) -> str:
    """A short name for a home folder."""
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
