"""Writes models/tiny/reference.json: what Hugging Face transformers computes with the shipped model and float64
weights (its norms and softmax stay float32, so agreement ends near 1e-7).

    python reference.py ../tiny

Texts with their token ids, summed and mean negative log-likelihood and last logits; and one LoRA gradient with the
published seeded A (seed 1, rank 8, alpha 16) and B[i, j] = 0.02 sin(1 + 0.7 i + 1.3 j). The TypeScript tests agree with it.
"""

import argparse
import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from seeded_lora import add_lora
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

TEXTS = [
    "It was the best of times, it was the worst of times.",
    "She wept alone and wore black. Mood?",
    "He  said:\n\n“Caf\u00e9, na\u00efve – 5 \u20ac?” \U0001f600",
]
GRADIENT_MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.3.mlp.down_proj"]
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BOS = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    folder = parser.parse_args().model
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")

    def loss_of(ids: list[int]) -> torch.Tensor:
        row = torch.tensor([ids])
        return F.cross_entropy(model(row).logits[0, :-1], row[0, 1:], reduction="sum")

    texts = []
    for text in TEXTS:
        ids = [BOS, *tokenizer.encode(text, add_special_tokens=False).ids]
        with torch.no_grad():
            summed = float(loss_of(ids))
            logits = model(torch.tensor([ids])).logits[0, -1, :8].tolist()
        texts.append({"text": text, "ids": ids, "summedLoss": summed, "meanLoss": summed / (len(ids) - 1), "lastLogits": logits})

    adapted = add_lora(model, rank=8, alpha=16, targets=TARGETS, seed=1)
    for module in adapted:
        rows, columns = module.B.shape
        B = [[0.02 * math.sin(1 + 0.7 * i + 1.3 * j) for j in range(columns)] for i in range(rows)]
        # The adapter is float32 everywhere; only the arithmetic of this reference is float64.
        module.B.data = torch.tensor(B, dtype=torch.float32).double()
        module.A = module.A.double()
    ids = texts[0]["ids"]
    loss = loss_of(ids) / (len(ids) - 1)
    loss.backward()
    names = [f"model.layers.{layer}.{'mlp' if target in TARGETS[4:] else 'self_attn'}.{target}" for layer in range(len(adapted) // len(TARGETS)) for target in TARGETS]
    by_name = dict(zip(names, adapted))
    gradient = {
        "rank": 8,
        "alpha": 16,
        "seed": 1,
        "targetModules": TARGETS,
        "text": TEXTS[0],
        "loss": float(loss.detach()),
        "firstA": adapted[0].A.flatten()[:4].tolist(),
        "modules": {
            name: {"norm": float(by_name[name].B.grad.norm()), "first": by_name[name].B.grad.flatten()[:8].tolist()}
            for name in GRADIENT_MODULES
        },
    }
    (folder / "reference.json").write_text(json.dumps({"texts": texts, "gradient": gradient}, indent=2, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main()
