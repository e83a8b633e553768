"""Writes the golden cases beside this file, with the libraries that models are published with.

    pip install -r models/pretrain/requirements.txt
    python packages/lora/src/tokenizer/golden/make_golden.py

tiny.json: ids and decoded text of models/tiny by Hugging Face `tokenizers`.
chat.json: conversations rendered by `transformers` with the chat templates in chat_templates.json.
"""

import json
from pathlib import Path

import tokenizers
import transformers
from jinja2.exceptions import TemplateError

here = Path(__file__).parent
tiny = here.parents[4] / "models" / "tiny"

TEXTS = [
    "",
    "The quick brown fox jumps over the lazy dog.",
    "  two  spaces, three   and a tail  ",
    "lines\n\nand\r\nother\tblank \n space",
    "I'm you're they've we'll he'd it's O'Neil's",
    "numbers 1 23 456 7,890.12 and 50%",
    "punctuation!!! (really?) -- yes... \u201cquoted\u201d",
    "na\u00efve caf\u00e9, Stra\u00dfe, \u0440\u0443\u0441\u0441\u043a\u0438\u0439, \u65e5\u672c\u8a9e, \u0639\u0631\u0628\u064a",
    "emoji \U0001f388 and \U0001f468\u200d\U0001f469\u200d\U0001f467, flag \U0001f1eb\U0001f1ee",
    "combining e\u0301, zero\u200bwidth, \u00a0no-break, \ufeffmark",
    "control \u0000 \u0007 \u001b",
    "a special token <|eos|> in the text, and <|bos|>",
    "snake_case camelCase kebab-case https://example.org/a?b=c#d",
    "x = [i ** 2 for i in range(10)]\n    return x\n",
    "a" * 100,
]

CONVERSATIONS = [
    [("user", "What is 2 + 2?"), ("assistant", "4")],
    [("system", "Be brief."), ("user", " Hi! "), ("assistant", "Hello."), ("user", "Bye\n"), ("assistant", "Bye.")],
    [("user", "Who?"), ("assistant", "<think>Ann, or Ben?</think>Ann"), ("user", "Sure?"), ("assistant", "<think>Yes.</think>Yes")],
    [("user", "one"), ("user", "two"), ("assistant", "three")],
]


def write(name: str, value: object) -> None:
    (here / name).write_text(json.dumps(value, indent=2, ensure_ascii=True) + "\n")


def golden_ids() -> dict:
    tokenizer = tokenizers.Tokenizer.from_file(str(tiny / "tokenizer.json"))
    cases = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids)})
    return {"source": f"tokenizers {tokenizers.__version__} on models/tiny", "cases": cases}


def golden_chats() -> dict:
    templates = json.loads((here / "chat_templates.json").read_text())
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny)
    cases = []
    for name, template in templates.items():
        for turns in CONVERSATIONS:
            messages = [{"role": role, "content": content} for role, content in turns]
            rendered = {}
            for key, prompt in (("text", False), ("open", True)):
                try:
                    rendered[key] = tokenizer.apply_chat_template(
                        messages, chat_template=template, tokenize=False, add_generation_prompt=prompt
                    )
                except TemplateError as error:
                    rendered = {"error": str(error)}
                    break
            cases.append({"template": name, "messages": messages, **rendered})
    return {"source": f"transformers {transformers.__version__} with the special tokens of models/tiny", "cases": cases}


write("tiny.json", golden_ids())
write("chat.json", golden_chats())
