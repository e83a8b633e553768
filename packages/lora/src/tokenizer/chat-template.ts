/**
 * Conversations to text, by the model's own chat template: the Jinja program in `tokenizer_config.json`, run by
 * `@huggingface/jinja` with the variables that `transformers` gives it (docs: "Chat templates", transformers).
 */
import { Template } from '@huggingface/jinja';
import type { ChatMessage } from '@oneround/fl-core';
import * as z from 'zod';

export type ChatTemplateErrorCode =
  | 'missing' // several named templates, none of them for chats
  | 'broken' // no Jinja
  | 'failed' // the template refuses this conversation
  | 'not_a_prefix'; // what comes before an answer depends on the answer

/** The model's chat template cannot be used (for this conversation). The message is one sentence. */
export class ChatTemplateError extends Error {
  readonly code: ChatTemplateErrorCode;

  constructor(code: ChatTemplateErrorCode, message: string) {
    super(message);
    this.name = 'ChatTemplateError';
    this.code = code;
  }
}

/** A chat template with the model's special tokens filled in. */
export interface ChatTemplate {
  /** `model` when the model brings one, `plain` for the fallback. */
  readonly source: 'model' | 'plain';
  /**
   * The conversation as text, special tokens written out.
   * @param openAnswer ends with what the assistant's next answer begins after, as when the model is asked to speak
   * @throws ChatTemplateError `missing`, `broken` or `failed`
   */
  render(messages: readonly ChatMessage[], openAnswer: boolean): string;
}

/**
 * For models that bring no template: the system text, then "User: ..." and "Assistant: ...", with a blank line between
 * turns; an answer ends with EOS.
 */
const PLAIN_TEMPLATE = `{{- start -}}
{%- for message in messages -%}
  {{- '' if loop.first else '\\n\\n' -}}
  {%- if message.role == 'system' -%}
    {{- message.content -}}
  {%- elif message.role == 'user' -%}
    {{- 'User: ' + message.content -}}
  {%- else -%}
    {{- 'Assistant: ' + message.content + eos_token -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '\\n\\nAssistant:' -}}{%- endif -%}`;

const namedTemplatesSchema = z.array(z.object({ name: z.string(), template: z.string() }));
const templateFieldSchema = z.union([z.string(), namedTemplatesSchema]).nullish();

/**
 * Templates may ask for today's date. All clients of a campaign must make the same rows, and the server the same counts,
 * so it is always the day that Llama 3's template falls back to: 26 July 2024.
 */
const dateParts: Record<string, string> = {
  Y: '2024',
  m: '07',
  d: '26',
  b: 'Jul',
  B: 'July',
  H: '00',
  M: '00',
  '%': '%',
};
const fixedDate = (format: string) => format.replace(/%([YmdbBHM%])/g, (_, part: string) => dateParts[part]!);

/** The special tokens as text; absent ones are empty. */
export interface SpecialTokens {
  bos_token: string;
  eos_token: string;
  pad_token: string;
  unk_token: string;
}

/**
 * Reads the `chat_template` of a parsed `tokenizer_config.json`. A template is compiled when it is first used, so one
 * that is broken does no harm to a campaign without conversations.
 * @param start what a text begins with (BOS, or nothing), for the fallback
 */
export function chatTemplateOf(
  config: { chat_template?: unknown },
  special: SpecialTokens,
  start: string,
): ChatTemplate {
  const field = templateFieldSchema.safeParse(config.chat_template);
  if (field.success && (field.data === undefined || field.data === null)) {
    const plain = new Template(PLAIN_TEMPLATE);
    return {
      source: 'plain',
      render: (messages, openAnswer) => run(plain, messages, openAnswer, { ...special, start }),
    };
  }
  let compiled: Template | null = null;
  return {
    source: 'model',
    render(messages, openAnswer) {
      compiled ??= compile(programOf(field.data));
      return run(compiled, messages, openAnswer, { ...special, fixed_date: fixedDate });
    },
  };
}

/**
 * A `tokenizer_config.json` with the text of `chat_template.jinja` in it: newer checkpoints keep the template in a file
 * of its own, which then holds (as in `transformers`).
 */
export function withChatTemplate(tokenizerConfigJson: unknown, template: string): object {
  const config = z.looseObject({}).parse(tokenizerConfigJson);
  return { ...config, chat_template: template };
}

function programOf(field: z.infer<typeof templateFieldSchema>): string {
  if (typeof field === 'string') return field;
  const chat = field?.find(({ name }) => name === 'default');
  if (chat) return chat.template;
  const names = field?.map(({ name }) => name).join(', ') || 'none';
  throw new ChatTemplateError('missing', `chat_template has no template called "default"; there is: ${names}.`);
}

function compile(program: string): Template {
  try {
    // The library's own `strftime_now` can be replaced only from within.
    return new Template(`{% set strftime_now = fixed_date %}${program}`);
  } catch (cause) {
    throw new ChatTemplateError('broken', `The model's chat template cannot be read: ${messageOf(cause)}.`);
  }
}

function run(
  template: Template,
  messages: readonly ChatMessage[],
  openAnswer: boolean,
  variables: Record<string, unknown>,
): string {
  try {
    return template.render({ ...variables, messages, add_generation_prompt: openAnswer });
  } catch (cause) {
    throw new ChatTemplateError('failed', `The model's chat template refuses this conversation: ${messageOf(cause)}.`);
  }
}

function messageOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
}
