"""Pretrains a small Llama on plain text, on the CPU: tokeniser, packing, training, checkpoints, export. nanoGPT-style.

    python pretrain.py --train books_train.txt --valid books_valid.txt --out run/

Text is cut into passages (whole paragraphs), each written as `<|bos|> passage <|eos|>`, and packed into one long stream,
so both special tokens are trained. Running the same command again resumes from the last checkpoint in `--out`.
`--out` ends up holding a Hugging Face folder in `model/` and one JSON line per evaluation in `training-log.jsonl`.
"""

import argparse
import json
import math
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from llama import Llama, LlamaConfig, save_pretrained
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

PAD, BOS, EOS = "<|pad|>", "<|bos|>", "<|eos|>"
PAD_ID, BOS_ID, EOS_ID = 0, 1, 2
IGNORED = -100


def paragraphs(text: str) -> list[str]:
    return [block.strip() for block in text.split("\n\n") if block.strip()]


def train_tokenizer(text: str, vocab_size: int) -> Tokenizer:
    """Byte-level BPE (GPT-2's pre-tokeniser, no normaliser), which writes any string; BOS is put in front of every text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(paragraphs(text), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, BOS_ID)]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "pad_token": PAD,
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def pack(text: str, tokenizer: Tokenizer, seed: int) -> np.ndarray:
    """The text as one uint16 stream of `<bos> passage <eos>`; a passage is consecutive paragraphs of 40 to 1,600 characters."""
    rng = np.random.default_rng(seed)
    passages, current, wanted = [], "", rng.integers(40, 1600)
    for block in paragraphs(text):
        current = f"{current}\n\n{block}" if current else block
        if len(current) >= wanted:
            passages.append(current)
            current, wanted = "", rng.integers(40, 1600)
    if current:
        passages.append(current)
    stream: list[np.ndarray] = []
    for start in range(0, len(passages), 4096):
        for encoding in tokenizer.encode_batch_fast(passages[start : start + 4096]):
            stream.append(np.array([*encoding.ids, EOS_ID], dtype=np.uint16))
    return np.concatenate(stream)


def loss_of(model, windows):
    """Mean nats per predicted token. windows [B, T+1]; `<|bos|>` is never a target, nothing in the stream predicts it."""
    targets = windows[:, 1:].masked_fill(windows[:, 1:] == BOS_ID, IGNORED)
    return F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), targets.flatten(), ignore_index=IGNORED)


def held_out_loss(model, stream: np.ndarray, window: int, windows: int) -> float:
    """Mean nats per token over evenly spaced windows, each opened by `<|bos|>`."""
    starts = np.linspace(0, len(stream) - window - 1, windows).astype(int)
    rows = np.stack([stream[s : s + window].astype(np.int64) for s in starts])
    rows = np.concatenate([np.full((windows, 1), BOS_ID), rows], axis=1)
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in torch.from_numpy(rows).split(16):
            predicted = int((batch[:, 1:] != BOS_ID).sum())
            total += float(loss_of(model, batch)) * predicted
            count += predicted
    return total / count


def learning_rate(step: int, steps: int, peak: float, warmup: int, decay: int | None) -> float:
    """Linear warm-up, then a cosine to zero; with `decay`, constant but for a linear fall over the last `decay` steps
    (warmup-stable-decay, Hu et al. 2024, arXiv 2404.06395), so that a run can be prolonged before it falls."""
    if step < warmup:
        return peak * (step + 1) / warmup
    if decay is not None:
        return peak * min(1.0, (steps - step) / max(1, decay))
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=4e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--decay", type=int, help="steps of the final linear fall to zero; without it the fall is a cosine")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--eval-every", type=int, default=250)
    parser.add_argument("--seed", type=int, default=1)
    for field in fields(LlamaConfig):
        if field.name != "max_position_embeddings":
            flag = f"--{field.name.replace('_', '-')}"
            parser.add_argument(flag, type=field.type, default=field.default, help="as in config.json")
    parser.add_argument("--compile", action="store_true", help="torch.compile: about 1.5 times as fast, needs a C++ compiler")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    model_folder, log_file, checkpoint_file = args.out / "model", args.out / "training-log.jsonl", args.out / "checkpoint.pt"
    args.out.mkdir(parents=True, exist_ok=True)
    shape = {field.name: getattr(args, field.name) for field in fields(LlamaConfig) if hasattr(args, field.name)}
    config = LlamaConfig(max_position_embeddings=args.window, **shape)

    tokenizer_file = model_folder / "tokenizer.json"
    if not tokenizer_file.exists():
        save_tokenizer(train_tokenizer(args.train.read_text(), config.vocab_size), model_folder, args.window)
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    streams = {}
    for split, file in (("train", args.train), ("valid", args.valid)):
        cache = args.out / f"{split}.npy"
        if not cache.exists():
            np.save(cache, pack(file.read_text(), tokenizer, args.seed))
        streams[split] = np.load(cache, mmap_mode="r")
        print(f"{split}: {len(streams[split]):,} tokens", flush=True)

    model = Llama(config)
    model.initialise(torch.Generator().manual_seed(args.seed))
    matrices = [p for p in model.parameters() if p.ndim == 2]
    gains = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": args.weight_decay}, {"params": gains, "weight_decay": 0.0}],
        lr=args.learning_rate,
        betas=(0.9, 0.98),
        fused=True,
    )
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)

    # Every step's windows are drawn from a generator seeded by (seed, step): a resumed run sees the same batches.
    first_step, seconds_before = 0, 0.0
    if checkpoint_file.exists():
        state = torch.load(checkpoint_file)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first_step, seconds_before = state["step"], state["seconds"]
        print(f"resumed at step {first_step}", flush=True)
    stepped = torch.compile(model) if args.compile else model

    started, running, since = time.monotonic(), 0.0, 0
    for step in range(first_step, args.steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, args.steps, args.learning_rate, args.warmup, args.decay)
        starts = np.random.default_rng((args.seed, step)).integers(0, len(streams["train"]) - args.window - 1, args.batch_size)
        rows = np.stack([streams["train"][s : s + args.window + 1].astype(np.int64) for s in starts])
        rows[:, 0] = BOS_ID
        loss = loss_of(stepped, torch.from_numpy(rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running, since = running + float(loss.detach()), since + 1

        done = step + 1
        if done % args.eval_every == 0 or done == args.steps:
            seconds = seconds_before + time.monotonic() - started
            record = {
                "step": done,
                "tokens": done * args.batch_size * args.window,
                "learningRate": round(optimizer.param_groups[0]["lr"], 7),
                "trainLoss": round(running / since, 4),
                "heldOutLoss": round(held_out_loss(model, streams["valid"], args.window, 128), 4),
                "seconds": round(seconds),
            }
            running, since = 0.0, 0
            with log_file.open("a") as log:
                log.write(json.dumps(record) + "\n")
            print(json.dumps(record), flush=True)
            partial = checkpoint_file.with_suffix(".partial")
            torch.save(
                {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": done, "seconds": seconds}, partial
            )
            partial.replace(checkpoint_file)
            save_pretrained(model, model_folder, BOS_ID, EOS_ID, PAD_ID)


if __name__ == "__main__":
    main()
