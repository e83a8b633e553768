"""Measures a model folder on a whole text it has not seen, and lets it write a little: the figures of the model card.

    python evaluate.py ../tiny books_valid.txt

The text is packed as in pretraining and cut into windows that do not overlap, each opened by `<|bos|>`; every text token and
`<|eos|>` is scored once. Nats a byte is the same sum over the bytes of the file, and compares across tokenisers.
"""

import argparse
from pathlib import Path

import torch
from llama import load_pretrained
from pretrain import BOS_ID, EOS_ID, loss_of, pack
from tokenizers import Tokenizer

PROMPTS = ["It was a cold night, and", "The king looked at"]


def greedy(model, tokenizer: Tokenizer, prompt: str, new_tokens: int) -> str:
    """The prompt and its most likely continuation, token by token."""
    ids = tokenizer.encode(prompt).ids
    for _ in range(new_tokens):
        following = int(model(torch.tensor([ids]))[0, -1].argmax())
        if following == EOS_ID:
            break
        ids.append(following)
    return tokenizer.decode(ids)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    args = parser.parse_args()
    model = load_pretrained(args.model)
    tokenizer = Tokenizer.from_file(str(args.model / "tokenizer.json"))
    text = args.text.read_text()
    stream = torch.from_numpy(pack(text, tokenizer, seed=1).astype("int64"))
    window = model.config.max_position_embeddings
    summed, tokens = 0.0, 0
    for batch in stream[: len(stream) // window * window].view(-1, window).split(32):
        rows = torch.cat([torch.full((len(batch), 1), BOS_ID), batch], dim=1)
        scored = int((batch != BOS_ID).sum())
        summed += float(loss_of(model, rows)) * scored
        tokens += scored
    bytes_scored = len(text.encode()) * (len(stream) // window * window) / len(stream)
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    print(f"{tokens:,} tokens scored: {summed / tokens:.4f} nats/token, {summed / bytes_scored:.4f} nats/byte")
    for prompt in PROMPTS:
        print(repr(greedy(model, tokenizer, prompt, 60)))


if __name__ == "__main__":
    main()
