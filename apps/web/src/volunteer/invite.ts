/**
 * The token of an invite link, `/c/<id>#invite=<token>`: what follows the `#` is not sent to the server with the address.
 * Kept in this browser, so that the volunteer may come back without the link.
 */

const keyOf = (campaignId: string) => `oneround:invite:${campaignId}`;

/** The token for a campaign: that of the address, which is kept, or the one that was kept before. */
export function inviteFor(campaignId: string): string | undefined {
  const token = new URLSearchParams(location.hash.slice(1)).get('invite');
  const isHere = location.pathname === `/c/${campaignId}`;
  if (token && isHere) localStorage.setItem(keyOf(campaignId), token);
  return localStorage.getItem(keyOf(campaignId)) ?? undefined;
}
