"""Train an adapter on pairs: the door to `learn`, which needs the extra `tune`."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from models.errors import ConfigError
from worker.tune.options import Options, Trained

NEEDED = ("torch", "transformers", "accelerate", "gguf", "safetensors")


def train(pairs: Path, out: Path, options: Options, say: Callable[[str], None] = print) -> Trained:
    """Train an adapter on pairs and write it to `out`: adapter.gguf, peft/ and training.json.

    A training that was ended goes on from its checkpoint when it is called again with the same
    pairs and options; how long it is to last may differ. `say` hears lines of progress. Raises
    ConfigError where the extra `tune` is not installed, InputError for pairs or a base that cannot
    be used, and for a folder that holds another training's checkpoint.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"training needs the extra tune ({', '.join(missing)} not installed): "
            'pip install "docmill[tune]"'
        )
    from worker.tune.learn.training import learn

    return learn(pairs, out, options, say)
