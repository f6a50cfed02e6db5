"""Low-rank adapters: two small matrices beside each linear layer of a model that stays as it is.

Hu et al. 2021, arXiv:2106.09685. Torch alone; no layer is replaced, so the model keeps its names.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch

from worker.tune.names import is_linear


@dataclass(frozen=True, slots=True)
class Lora:
    """What is added to the output of one linear layer: scale * (x A^T) B^T."""

    a: torch.Tensor
    """rank x inputs."""
    b: torch.Tensor
    """outputs x rank; 0 at first, so that training begins at the model as it is."""
    scale: float

    def __call__(self, _: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> Any:
        """As a forward hook of the layer."""
        low = inputs[0].to(self.a.dtype) @ self.a.T
        return output + ((low @ self.b.T) * self.scale).to(output.dtype)


def attach(model: Any, rank: int, alpha: int, seed: int) -> dict[str, Lora]:
    """Put an adapter on every linear layer of the model's blocks, which alone will be trained.
    They come by the names of their layers."""
    model.requires_grad_(False)
    lot = torch.Generator().manual_seed(seed)
    loras = {}
    for name, layer in model.named_modules():
        if not is_linear(name):
            continue
        outputs, inputs = layer.weight.shape
        a = torch.empty(rank, inputs)
        torch.nn.init.kaiming_uniform_(a, a=math.sqrt(5), generator=lot)
        b = torch.zeros(outputs, rank)
        device = layer.weight.device
        lora = Lora(
            a.to(device).requires_grad_(), b.to(device).requires_grad_(), scale=alpha / rank
        )
        layer.register_forward_hook(lora)
        loras[name] = lora
    return loras


def weights(loras: dict[str, Lora]) -> dict[str, torch.Tensor]:
    """What is learned, by name and matrix, as it is kept."""
    return {
        f"{name}.{matrix}": tensor.detach().to("cpu", torch.float32).clone()
        for name, lora in loras.items()
        for matrix, tensor in (("A", lora.a), ("B", lora.b))
    }


def load(loras: dict[str, Lora], kept: dict[str, torch.Tensor]) -> None:
    """Put kept weights in place."""
    with torch.no_grad():
        for name, lora in loras.items():
            lora.a.copy_(kept[f"{name}.A"])
            lora.b.copy_(kept[f"{name}.B"])
