/** Renders a component into a document of its own, for tests. */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router';

/** The rendered element, and how to take it away again. */
export async function render(content: ReactNode): Promise<{ element: HTMLElement; unmount: () => Promise<void> }> {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });
  const element = document.body.appendChild(document.createElement('div'));
  const root = createRoot(element);
  await act(async () =>
    root.render(
      <QueryClientProvider client={new QueryClient()}>
        <MemoryRouter>{content}</MemoryRouter>
      </QueryClientProvider>,
    ),
  );
  return {
    element,
    async unmount() {
      await act(async () => root.unmount());
      element.remove();
    },
  };
}

/** Presses a button as a person would. */
export async function press(button: Element | null): Promise<void> {
  if (!(button instanceof HTMLElement)) throw new Error('there is no such button');
  await act(async () => button.click());
}
