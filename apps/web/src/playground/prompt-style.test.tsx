import { describe, expect, it } from 'vitest';
import { render } from '../testing/render.tsx';
import { PromptStyleChoice, styled } from './prompt-style.tsx';

describe('a prompt', () => {
  it('goes into the template as it is, dollar signs and all', () => {
    expect(styled('a $& b', 'template', 'Q: {prompt}\nA:')).toBe('Q: a $& b\nA:');
    expect(styled('a', 'plain', 'Q: {prompt}\nA:')).toBe('a');
    expect(styled('a', 'chat', 'Q: {prompt}\nA:')).toEqual([{ role: 'user', content: 'a' }]);
  });

  it.each([
    ['{prompt}', ['template', 'chat']],
    ['Q: {prompt}', ['template', 'plain', 'chat']],
  ])('in %s can be read in so many ways', async (template, styles) => {
    const { element, unmount } = await render(
      <PromptStyleChoice template={template} chosen="template" onChoose={() => undefined} />,
    );
    expect([...element.querySelectorAll('option')].map(({ value }) => value)).toEqual(styles);
    await unmount();
  });
});
