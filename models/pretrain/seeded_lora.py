"""The published A and LoRA with only B trained, bit for bit as in packages/lora: shared by the simulation and the fixtures."""

import math

import numpy as np
import torch
import torch.nn.functional as F


class SeededRandom:
    """splitmix32, as in packages/fl-core/src/random.ts."""

    def __init__(self, seed: int):
        self.state = seed & 0xFFFFFFFF

    def next_uint32(self) -> int:
        self.state = (self.state + 0x9E3779B9) & 0xFFFFFFFF
        z = self.state
        z = ((z ^ (z >> 16)) * 0x21F0AAAD) & 0xFFFFFFFF
        z = ((z ^ (z >> 15)) * 0x735A2D97) & 0xFFFFFFFF
        return z ^ (z >> 15)

    def next_int(self, bound: int) -> int:
        limit = 2**32 - (2**32 % bound)
        while (value := self.next_uint32()) >= limit:
            pass
        return value % bound

    def shuffled(self, items: list) -> list:
        result = list(items)
        for i in range(len(result) - 1, 0, -1):
            j = self.next_int(i + 1)
            result[i], result[j] = result[j], result[i]
        return result


class LoraLinear(torch.nn.Module):
    """y = x W^T + (alpha / r) (x A^T) B^T; only B is trained."""

    def __init__(self, base: torch.nn.Linear, A: torch.Tensor, scale: float):
        super().__init__()
        self.base, self.scale = base, scale
        self.register_buffer("A", A)
        self.B = torch.nn.Parameter(torch.zeros(base.out_features, A.shape[0], dtype=base.weight.dtype))

    def forward(self, x):
        return self.base(x) + self.scale * F.linear(F.linear(x, self.A), self.B)


def add_lora(model, rank: int, alpha: float, targets: list[str], seed: int) -> list[LoraLinear]:
    """Replaces the target modules, layer by layer in the order of `targets`; all A come from one stream of `seed`."""
    random, adapted = SeededRandom(seed), []
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in model.model.layers:
        for target in targets:
            parent = layer.self_attn if hasattr(layer.self_attn, target) else layer.mlp
            base = getattr(parent, target)
            bound = math.sqrt(base.in_features)
            values = [(random.next_uint32() / 2**32 * 2 - 1) / bound for _ in range(rank * base.in_features)]
            A = torch.tensor(np.array(values, dtype=np.float32).reshape(rank, base.in_features))
            adapted.append(LoraLinear(base, A, alpha / rank))
            setattr(parent, target, adapted[-1])
    return adapted
