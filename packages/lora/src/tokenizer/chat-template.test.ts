import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ChatMessage } from '@oneround/fl-core';
import { chatSegments } from './chat-segments.ts';
import { chatTemplateOf } from './chat-template.ts';
import { ChatTemplateError, withChatTemplate } from './index.ts';

const special = { bos_token: '<s>', eos_token: '</s>', pad_token: '', unk_token: '' };
const templates: Record<string, string> = JSON.parse(
  readFileSync(new URL('./golden/chat_templates.json', import.meta.url), 'utf8'),
);
const templateOf = (chat_template: unknown) => chatTemplateOf({ chat_template }, special, '<s>');
const chatml = templateOf(templates['chatml, as SmolLM2 has it']);
const qwen3 = templateOf(templates['old thoughts dropped, as Qwen3 does it']);

const messages: ChatMessage[] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
  { role: 'user', content: 'Bye' },
  { role: 'assistant', content: 'See you' },
];
const textOf = (segments: readonly { text: string }[]) => segments.map(({ text }) => text).join('');
const answersOf = (segments: readonly { text: string; isAnswer: boolean }[]) =>
  segments.filter(({ isAnswer }) => isAnswer).map(({ text }) => text);

describe('chatTemplateOf', () => {
  it('writes plain turns for a model without a template', () => {
    for (const plain of [templateOf(undefined), templateOf(null)]) {
      expect(plain.source).toBe('plain');
      expect(plain.render(messages, false)).toBe(
        '<s>Be brief.\n\nUser: Hi\n\nAssistant: Hello</s>\n\nUser: Bye\n\nAssistant: See you</s>',
      );
      expect(plain.render(messages.slice(1, 2), true)).toBe('<s>User: Hi\n\nAssistant:');
    }
  });

  it('takes the default of several templates, and the text of chat_template.jinja before all', () => {
    const several = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: '{{ messages[0].content }}' },
    ];
    expect(templateOf(several)).toMatchObject({ source: 'model' });
    expect(templateOf(several).render(messages, false)).toBe('Be brief.');
    const config = withChatTemplate({ bos_token: '<s>', chat_template: several }, 'from the file');
    expect(chatTemplateOf(config, special, '').render(messages, false)).toBe('from the file');
    expect(config).toMatchObject({ bos_token: '<s>' });
  });

  it('tells every client the same date', () => {
    const dated = templateOf("{{ strftime_now('%d %b %Y, %B %m') }}{% if strftime_now is defined %}!{% endif %}");
    expect(dated.render(messages, false)).toBe('26 Jul 2024, July 07!');
  });

  it.each([
    ['missing', [{ name: 'rag', template: '' }], /no template called "default"; there is: rag/],
    ['missing', {}, /there is: none/],
    ['broken', '{% for %}', /cannot be read/],
    ['failed', "{{ raise_exception('No system role.') }}", /refuses this conversation: No system role\.$/],
    ['failed', '{{ messages | nowhere }}', /refuses this conversation/],
  ])('%s: %j', (code, field, problem) => {
    const render = () => templateOf(field).render(messages, false);
    expect(render).toThrow(ChatTemplateError);
    expect(render).toThrow(expect.objectContaining({ code }));
    expect(render).toThrow(problem);
  });
});

describe('chatSegments', () => {
  it('cuts the whole rendering into context and answers', () => {
    for (const template of [chatml, templateOf(undefined)]) {
      const [segments, ...more] = chatSegments(template, messages);
      expect(more).toEqual([]);
      expect(segments!.map(({ isAnswer }) => isAnswer)).toEqual([false, true, false, true]);
      expect(textOf(segments!)).toBe(template.render(messages, false));
    }
    expect(answersOf(chatSegments(chatml, messages)[0]!)).toEqual(['Hello<|im_end|>\n', 'See you<|im_end|>\n']);
  });

  it('leaves out what follows the last answer, and does not ask for an answer to nothing', () => {
    const open = chatSegments(chatml, [...messages, { role: 'user', content: 'Still there?' }]);
    expect(open).toEqual(chatSegments(chatml, messages));
    const greeting: ChatMessage[] = [{ role: 'assistant', content: 'Welcome' }, ...messages.slice(1, 3)];
    expect(answersOf(chatSegments(chatml, greeting)[0]!)).toEqual(['Hello<|im_end|>\n']);
    expect(textOf(chatSegments(chatml, greeting)[0]!)).toContain('Welcome');
  });

  it('shows each answer what the model would see, where earlier turns are written anew', () => {
    const thoughts = messages.map((message) =>
      message.role === 'assistant' ? { ...message, content: `<think>Hm.</think>${message.content}` } : message,
    );
    const rows = chatSegments(qwen3, thoughts);
    expect(rows.map(answersOf)).toEqual([
      ['<think>Hm.</think>Hello<|im_end|>\n'],
      ['<think>Hm.</think>See you<|im_end|>\n'],
    ]);
    expect(textOf(rows[1]!)).toBe(qwen3.render(thoughts, false));
    expect(rows[1]![0]!.text).not.toContain('think');
  });

  it('refuses a template whose prompt is not the beginning of the answered conversation', () => {
    const odd = templateOf('{% if add_generation_prompt %}Speak!{% else %}{{ messages[0].content }}{% endif %}');
    expect(() => chatSegments(odd, messages)).toThrow(expect.objectContaining({ code: 'not_a_prefix' }));
  });
});
