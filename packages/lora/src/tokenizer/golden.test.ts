/** Ids, texts and renderings as the libraries give them that models are published with; golden/make_golden.py. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '@oneround/fl-core';
import { chatTemplateOf } from './chat-template.ts';
import { ChatTemplateError, loadTokenizer } from './index.ts';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

interface GoldenIds {
  text: string;
  ids: number[];
  decoded: string;
}

describe('models/tiny, against Hugging Face tokenizers', () => {
  const folder = path('../../../../models/tiny');
  const tokenizer = loadTokenizer(json(`${folder}/tokenizer.json`), json(`${folder}/tokenizer_config.json`));
  const { cases } = json(path('./golden/tiny.json')) as { cases: GoldenIds[] };

  it.each(cases)('$text', ({ text, ids, decoded }) => {
    expect(tokenizer.encode(text)).toEqual(ids);
    expect(tokenizer.decode(ids)).toBe(decoded);
  });
});

// Optional data beside the repository; its tokeniser is too large to be kept here.
const gpt2 = path('../../../../../shared/data/tokenizers/gpt2');
const isThere = existsSync(`${gpt2}/golden_cases.json`);
describe.skipIf(!isThere)(`GPT-2, 30 golden cases${isThere ? '' : ' (skipped: ../shared/data is not there)'}`, () => {
  it('gives the very ids, with and without special tokens, and the very text', () => {
    const tokenizer = loadTokenizer(json(`${gpt2}/tokenizer.json`), json(`${gpt2}/tokenizer_config.json`));
    const { cases } = json(`${gpt2}/golden_cases.json`) as {
      cases: (GoldenIds & { ids_no_special: number[] })[];
    };
    expect(cases).toHaveLength(30);
    for (const { text, ids, ids_no_special: bare, decoded } of cases) {
      expect(tokenizer.encode(text)).toEqual(bare);
      expect([...tokenizer.startIds, ...tokenizer.encode(text)]).toEqual(ids);
      // These cases were decoded with special tokens; ours leaves them out.
      expect(tokenizer.decode(ids)).toBe(decoded.replaceAll('<|endoftext|>', ''));
    }
  });
});

describe('chat templates, against transformers', () => {
  const templates = json(path('./golden/chat_templates.json')) as Record<string, string>;
  const { cases } = json(path('./golden/chat.json')) as {
    cases: { template: string; messages: ChatMessage[]; text?: string; open?: string; error?: string }[];
  };
  const special = { bos_token: '<|bos|>', eos_token: '<|eos|>', pad_token: '<|pad|>', unk_token: '' };

  it.each(cases)('$template', ({ template, messages, text, open, error }) => {
    const chat = chatTemplateOf({ chat_template: templates[template] }, special, '');
    if (error === undefined) {
      expect(chat.render(messages, false)).toBe(text);
      expect(chat.render(messages, true)).toBe(open);
    } else {
      expect(() => chat.render(messages, false)).toThrow(ChatTemplateError);
      expect(() => chat.render(messages, false)).toThrow(error.replace(/\.+$/, ''));
    }
  });
});
