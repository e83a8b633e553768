/** The current state of a campaign, kept current: one snapshot per connection, then the events that follow it. */
import type { CampaignEvent, CampaignState } from '@oneround/fl-core';
import type { CampaignSocket } from './campaign-socket.ts';
import { applyCampaignEvent } from './apply-event.ts';

/**
 * Calls `onState` with every new state until the returned function is called. After a lost connection the state is
 * asked for again, so nothing that happened meanwhile is missed.
 */
export function followCampaign(
  socket: CampaignSocket,
  campaignId: string,
  onState: (state: CampaignState) => void,
  onError: (error: unknown) => void,
): () => void {
  let state: CampaignState | null = null;
  /** Events that overtook the snapshot they belong to. */
  let early: CampaignEvent[] = [];
  let connection = 0;
  const snapshot = async (asked: number) => {
    const first = await socket.request('watch', { campaignId });
    if (asked !== connection) return;
    state = early.reduce(applyCampaignEvent, first);
    onState(state);
  };
  const stopConnection = socket.onConnection((connected) => {
    connection++;
    state = null;
    early = [];
    if (connected) void snapshot(connection).catch(onError);
  });
  const stopEvents = socket.onCampaignEvent((event) => {
    if (!state) return void early.push(event);
    state = applyCampaignEvent(state, event);
    onState(state);
  });
  return () => {
    connection++;
    stopEvents();
    stopConnection();
  };
}
