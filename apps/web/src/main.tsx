/** Starts the page. Nothing is trained here: that is the worker's (src/trainer). */
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter } from 'react-router';
import * as z from 'zod';
import { App } from './app.tsx';
import { UnknownCampaign } from './campaign/api.ts';
import './styles.css';

// The content security policy forbids evaluation, which zod would probe for.
z.config({ jitless: true });

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      retry: (failures, error) => !(error instanceof UnknownCampaign) && failures < 1,
      // A server that is restarting is found again without a press of a button.
      refetchInterval: (query) =>
        query.state.error && !(query.state.error instanceof UnknownCampaign) ? 5_000 : false,
    },
  },
});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <BrowserRouter>
        <App />
      </BrowserRouter>
    </QueryClientProvider>
  </StrictMode>,
);
