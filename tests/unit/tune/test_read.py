import pytest

from models.errors import InputError

np = pytest.importorskip("numpy", reason="needs the extra tune")
pytest.importorskip("gguf", reason="needs the extra tune")

LAYERS = [f"model.layers.{number}.self_attn.q_proj" for number in range(2)]
RANK, ALPHA = 4, 8


@pytest.fixture
def written(tmp_path):
    from worker.tune.learn.write import write_gguf

    lot = np.random.default_rng(1)
    shapes = {"A": (RANK, 8), "B": (6, RANK)}
    weights = {
        f"{layer}.{name}": lot.normal(size=shape).astype(np.float16).astype(np.float32)
        for layer in LAYERS
        for name, shape in shapes.items()
    }
    write_gguf(tmp_path / "adapter.gguf", weights, "gemma3_text", ALPHA, "of a test")
    return tmp_path / "adapter.gguf", weights


def test_an_adapter_that_was_written_is_read_as_it_was(written):
    from worker.tune.learn.read import read_gguf

    path, weights = written
    read = read_gguf(path, LAYERS, RANK, ALPHA)
    assert read.keys() == weights.keys()
    assert all((read[name] == weights[name]).all() for name in weights)


def test_an_adapter_of_another_kind_is_refused(written, tmp_path):
    from worker.tune.learn.read import read_gguf

    path, _ = written
    (tmp_path / "text").write_text("no model at all")
    for refused, layers, rank in (
        (path, LAYERS[:1], RANK),
        (path, LAYERS, RANK * 2),
        (tmp_path / "text", LAYERS, RANK),
        (tmp_path / "absent", LAYERS, RANK),
    ):
        with pytest.raises(InputError, match=str(refused)):
            read_gguf(refused, layers, rank, ALPHA)
