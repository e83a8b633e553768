import { campaignStatusSchema } from '@oneround/fl-core';
import { afterEach, expect, it } from 'vitest';
import { render } from '../testing/render.tsx';
import { StatusNotice } from './status-notice.tsx';

let unmount: () => Promise<void> = async () => undefined;
afterEach(() => unmount());

it.each(campaignStatusSchema.options)('says what %s means for a volunteer', async (status) => {
  const page = await render(<StatusNotice status={status} />);
  ({ unmount } = page);
  const said = {
    draft: 'has not begun',
    open: '',
    paused: 'is paused',
    closing: 'takes no more contributions',
    closed: 'is over',
  }[status];
  if (said === '') expect(page.element.textContent).toBe('');
  else expect(page.element.querySelector('output')!.textContent).toContain(said);
});
