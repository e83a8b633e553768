/** The state of a campaign for a page that watches: first over HTTP, then live over the socket. */
import { useQuery } from '@tanstack/react-query';
import { followCampaign, openCampaignSocket } from '@oneround/client/connection';
import type { CampaignState } from '@oneround/fl-core';
import { useEffect, useState } from 'react';
import { fetchState } from '../campaign/api.ts';

/** Many volunteers make many events; the page is drawn at most this often. */
const DRAW_EVERY_MS = 100;

export interface CampaignFeed {
  state: CampaignState | null;
  connected: boolean;
  /** Why there is no state at all. */
  error: Error | null;
  retry: () => void;
}

/** Follows campaign `id` while mounted. */
export function useCampaignFeed(id: string): CampaignFeed {
  const first = useQuery({ queryKey: ['state', id], queryFn: ({ signal }) => fetchState(id, signal), gcTime: 0 });
  const [live, setLive] = useState<CampaignState | null>(null);
  const [connected, setConnected] = useState(true);
  const known = first.data !== undefined;
  useEffect(() => {
    if (!known) return;
    const socket = openCampaignSocket(location.origin);
    let newest: CampaignState | null = null;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer = undefined;
      setLive(newest);
    };
    const stopConnection = socket.onConnection(setConnected);
    const stopFollowing = followCampaign(socket, id, () => fetchState(id), {
      onState(state) {
        newest = state;
        setConnected(true);
        timer ??= setTimeout(draw, DRAW_EVERY_MS);
      },
      // Until it is had the page says that it shows the last one.
      onError: () => setConnected(false),
    });
    return () => {
      clearTimeout(timer);
      stopFollowing();
      stopConnection();
      socket.close();
      setLive(null);
    };
  }, [id, known]);
  const state = live ?? first.data ?? null;
  return { state, connected, error: state ? null : first.error, retry: () => void first.refetch() };
}
