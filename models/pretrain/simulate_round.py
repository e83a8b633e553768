"""One round of a campaign, simulated in PyTorch exactly as the browsers do it: the experiment behind the default data.

    python simulate_round.py ../../campaigns/default/campaign.json [--partition iid|domain] [--seeds 1 2 3] [--set key=value ...]

The published seeded A is frozen, every client trains B from zero on its shard (AdamW, linear warm-up, cosine to zero,
clipping by global norm, loss on answer and end-of-text tokens only), and the deltas are averaged once, weighted by label
tokens. Prints held-out loss and exact match of the base model, of every client alone and after every merge.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from llama import load_pretrained
from seeded_lora import SeededRandom, add_lora
from tokenizers import Tokenizer

BOS, EOS, IGNORED = 1, 2, -100


def encode(records: list[dict], tokenizer: Tokenizer, template: dict) -> list[tuple[list[int], list[int]]]:
    ids = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
    rows = []
    for record in records:
        prompt = [BOS, *ids(template["prompt"].replace("{prompt}", record["prompt"]))]
        answer = [*ids(template["answer"].replace("{answer}", record["answer"])), EOS]
        rows.append(((prompt + answer)[:-1], [IGNORED] * (len(prompt) - 1) + answer))
    return rows


def to_batch(rows):
    length = max(len(inputs) for inputs, _ in rows)
    pad = lambda values, fill: values + [fill] * (length - len(values))
    return torch.tensor([pad(x, 0) for x, _ in rows]), torch.tensor([pad(y, IGNORED) for _, y in rows])


def evaluate(model, rows) -> tuple[float, float]:
    """Mean nats a label token, and the share of rows whose every label is the argmax."""
    total = count = exact = 0
    with torch.no_grad():
        for start in range(0, len(rows), 64):
            ids, labels = to_batch(rows[start : start + 64])
            logits = model(ids)
            total += float(F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED, reduction="sum"))
            count += int((labels != IGNORED).sum())
            exact += int(((logits.argmax(-1) == labels) | (labels == IGNORED)).all(1).sum())
    return total / count, exact / len(rows)


def epoch_batches(rows, batch_size: int, seed: int) -> list[list[int]]:
    """Row indices of an epoch's batches, as packages/lora/src/training/batches.ts: sorted by length within four batches."""
    chunks = lambda items, size: [items[start : start + size] for start in range(0, len(items), size)]
    random = SeededRandom(seed)
    windows = chunks(random.shuffled(list(range(len(rows)))), 4 * batch_size)
    return random.shuffled([b for w in windows for b in chunks(sorted(w, key=lambda i: len(rows[i][0])), batch_size)])


def train(model, adapted, rows, settings, seed) -> tuple[list[torch.Tensor], int]:
    """A client's B tensors and the tokens it processed, padding included."""
    for module in adapted:
        module.B.data.zero_()
    parameters = [module.B for module in adapted]
    optimizer = torch.optim.AdamW(parameters, lr=settings["learningRate"], weight_decay=settings["weightDecay"])
    total = math.ceil(len(rows) / settings["batchSize"]) * settings["epochs"]
    warmup, step, tokens = math.ceil(settings["warmupRatio"] * total), 0, 0
    for epoch in range(settings["epochs"]):
        for batch in epoch_batches(rows, settings["batchSize"], seed + epoch):
            step += 1
            progress = (step - warmup) / (total - warmup + 1)
            factor = step / warmup if step <= warmup else (1 + math.cos(math.pi * progress)) / 2
            optimizer.param_groups[0]["lr"] = settings["learningRate"] * factor
            ids, labels = to_batch([rows[i] for i in batch])
            tokens += ids.numel()
            loss = F.cross_entropy(model(ids).flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, settings["clipNorm"])
            optimizer.step()
            optimizer.zero_grad()
    return [module.B.detach().clone() for module in adapted], tokens


def partition(records: list[dict], shards: int, strategy: str, seed: int) -> list[list[dict]]:
    """The shards of packages/fl-core/src/partition.ts; `domain` needs at least as many shards as domains."""
    random = SeededRandom(seed)
    deal = lambda indices, count: [[records[i] for i in sorted(indices[s::count])] for s in range(count)]
    if strategy == "iid":
        return deal(random.shuffled(list(range(len(records)))), shards)
    names = sorted({record["domain"] for record in records})
    groups = [[i for i, record in enumerate(records) if record["domain"] == name] for name in names]
    counts = [1] * len(groups)
    for _ in range(shards - len(groups)):
        counts[max(range(len(groups)), key=lambda g: len(groups[g]) / counts[g])] += 1
    return [shard for group, count in zip(groups, counts) for shard in deal(random.shuffled(group), count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("campaign", type=Path)
    parser.add_argument("--partition", choices=["iid", "domain"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="seeds of partition and batch order")
    parser.add_argument("--set", nargs="*", default=[], help="override settings, as learningRate=0.01")
    args = parser.parse_args()
    campaign = json.loads(args.campaign.read_text())
    folder, data, adapter, training = args.campaign.parent, campaign["data"], campaign["adapter"], campaign["training"]
    for override in args.set:
        key, value = override.split("=")
        next(section for section in (adapter, data, training) if key in section)[key] = json.loads(value)
    read = lambda name: [json.loads(line) for line in (folder / name).read_text().splitlines() if line]
    model_folder = folder / campaign["model"]
    tokenizer = Tokenizer.from_file(str(model_folder / "tokenizer.json"))
    model = load_pretrained(model_folder)
    adapted = add_lora(model, adapter["rank"], adapter["alpha"], adapter["targetModules"], adapter["seed"])
    held_out = encode(read(data["heldOut"]), tokenizer, data["template"])
    strategy = args.partition or data["partition"]
    show = lambda label, result: print(f"{label:40} {result[0]:8.4f} {100 * result[1]:6.1f} %", flush=True)
    for seed in args.seeds:
        print(f"\n{f'seed {seed}, partition {strategy}':40} {'loss':>8} {'exact':>8}")
        for module in adapted:
            module.B.data.zero_()
        show("base model", evaluate(model, held_out))
        merged, weight = None, 0
        for index, shard in enumerate(partition(read(data["train"]), data["shards"], strategy, seed)):
            rows = encode(shard, tokenizer, data["template"])
            labels = sum(label != IGNORED for _, row_labels in rows for label in row_labels)
            deltas, tokens = train(model, adapted, rows, training, seed)
            show(f"client {index} alone ({len(rows)} rows, {tokens} tokens)", evaluate(model, held_out))
            merged = [labels * delta + (0 if merged is None else merged[k]) for k, delta in enumerate(deltas)]
            weight += labels
            for module, total in zip(adapted, merged):
                module.B.data.copy_(total / weight)
            show(f"  global after {index + 1} merges", evaluate(model, held_out))


if __name__ == "__main__":
    main()
