import pytest

from models.errors import InputError
from worker.tune.names import architecture, gguf_name, is_linear, peft_name


@pytest.mark.parametrize(
    ("module", "tensor"),
    [
        ("model.layers.3.self_attn.q_proj", "blk.3.attn_q.weight"),
        ("model.layers.17.self_attn.o_proj", "blk.17.attn_output.weight"),
        ("model.layers.0.mlp.down_proj", "blk.0.ffn_down.weight"),
        ("model.language_model.layers.9.mlp.gate_up_proj", "blk.9.ffn_up.weight"),
    ],
)
def test_linear_layers_have_their_names_in_gguf(module, tensor):
    assert is_linear(module)
    assert gguf_name(module) == tensor


def test_nothing_else_gets_an_adapter():
    for module in (
        "model.embed_tokens",
        "lm_head",
        "model.layers.3.self_attn",
        "model.layers.3.self_attn.q_norm",
        "model.vision_tower.layers.3.self_attn.q_proj",
    ):
        assert not is_linear(module)
    with pytest.raises(KeyError):
        gguf_name("model.layers.3.self_attn.q_norm")


def test_peft_names_its_weights_by_module_and_matrix():
    name = peft_name("model.layers.3.mlp.up_proj", "A")
    assert name == "base_model.model.model.layers.3.mlp.up_proj.lora_A.weight"


def test_a_model_of_which_llama_cpp_turns_rows_around_is_refused():
    assert architecture("gemma3_text") == "gemma3"
    with pytest.raises(InputError, match="llama"):
        architecture("llama")
