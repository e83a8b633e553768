/**
 * Which part of a rendered conversation is the assistant's. Templates do not say, so it is found by rendering prefixes:
 * everything before an answer, as when the model is asked to speak, and everything up to its end.
 */
import type { ChatMessage } from '@oneround/fl-core';
import { type ChatTemplate, ChatTemplateError } from './chat-template.ts';

/** A stretch of text; only an answer is scored. */
export interface Segment {
  text: string;
  isAnswer: boolean;
}

/**
 * The conversation as alternating context and answers, beginning with context. What follows the last answer is left out.
 * One list for the whole conversation; where the template renders earlier turns differently once later ones are there
 * (Qwen3 drops old thoughts), one list for each answer, with what the model would see before it. A conversation that
 * begins with the assistant has nothing there to answer: that turn counts as context.
 * @throws ChatTemplateError
 */
export function chatSegments(template: ChatTemplate, messages: readonly ChatMessage[]): Segment[][] {
  const turns = messages.flatMap(({ role }, at) =>
    role === 'assistant' && at > 0 ? [turnAt(template, messages, at)] : [],
  );
  const nested = turns.every((turn, index) => index === 0 || turn.before.startsWith(turns[index - 1]!.through));
  if (!nested) return turns.map((turn) => segmentsOf(turn, ''));
  return [turns.flatMap((turn, index) => segmentsOf(turn, index === 0 ? '' : turns[index - 1]!.through))];
}

interface Turn {
  /** Everything up to where the answer begins. */
  before: string;
  /** Everything up to where the answer ends. */
  through: string;
}

function turnAt(template: ChatTemplate, messages: readonly ChatMessage[], at: number): Turn {
  const before = template.render(messages.slice(0, at), true);
  const through = template.render(messages.slice(0, at + 1), false);
  if (!through.startsWith(before)) {
    throw new ChatTemplateError(
      'not_a_prefix',
      "The model's chat template writes another text before an answer than when it asks for one, so the answer cannot be told from it.",
    );
  }
  return { before, through };
}

function segmentsOf({ before, through }: Turn, already: string): Segment[] {
  return [
    { text: before.slice(already.length), isAnswer: false },
    { text: through.slice(before.length), isAnswer: true },
  ];
}
