import { stateOf } from '@oneround/client/testing';
import { afterEach, expect, it } from 'vitest';
import { render } from '../testing/render.tsx';
import { DashboardHeading } from './dashboard-heading.tsx';

let unmount: () => Promise<void> = async () => undefined;
afterEach(() => unmount());

it('tells of shards that were given up, if there are any', async () => {
  const textWith = async (givenUp: number) => {
    const shards = { total: 8, leased: 1, contributed: 5, givenUp };
    const page = await render(<DashboardHeading state={stateOf({ shards })} />);
    ({ unmount } = page);
    return page.element.textContent;
  };
  expect(await textWith(2)).toContain(
    '5 of 8 shards contributed, 1 in training2 given up: all that was sent was set aside',
  );
  await unmount();
  expect(await textWith(0)).not.toContain('given up');
});
