/** The current state of a campaign, kept current: read once per connection, then the updates that follow it. */
import type { CampaignState, CampaignUpdate } from '@oneround/fl-core';
import { applyCampaignUpdate } from './apply-update.ts';
import type { CampaignSocket } from './campaign-socket.ts';

const RETRY_MS = 5000;

export interface CampaignFollower {
  onState: (state: CampaignState) => void;
  /** The state could not be had; it is asked for again in a while, and on the next connection. */
  onError: (error: unknown) => void;
}

/**
 * Calls `onState` with every new state until the returned function is called. After a lost connection the state is
 * read again, so nothing that happened meanwhile is missed.
 * @param readState `GET /v1/campaigns/:id/state`
 */
export function followCampaign(
  socket: CampaignSocket,
  campaignId: string,
  readState: () => Promise<CampaignState>,
  { onState, onError }: CampaignFollower,
): () => void {
  let state: CampaignState | null = null;
  /** Updates that came while the state was being read: it may lack them. */
  let early: CampaignUpdate[] = [];
  let connection = 0;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const begin = async (asked: number) => {
    // Updates come from here on, so the state and they leave no gap.
    await socket.request('watch', { campaignId });
    const first = await readState();
    if (asked !== connection) return;
    state = early.reduce(applyCampaignUpdate, first);
    onState(state);
  };
  const tryToBegin = async (asked: number): Promise<void> => {
    try {
      await begin(asked);
    } catch (error) {
      if (asked !== connection) return;
      onError(error);
      retry = setTimeout(() => void tryToBegin(asked), RETRY_MS);
    }
  };
  const stopConnection = socket.onConnection((connected) => {
    const asked = ++connection;
    clearTimeout(retry);
    state = null;
    early = [];
    if (connected) void tryToBegin(asked);
  });
  const stopUpdates = socket.onUpdate((update) => {
    if (!state) return void early.push(update);
    state = applyCampaignUpdate(state, update);
    onState(state);
  });
  return () => {
    connection++;
    clearTimeout(retry);
    stopUpdates();
    stopConnection();
  };
}
