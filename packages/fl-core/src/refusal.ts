/**
 * Every "no" in the system is one of these codes with a sentence a person can act on.
 * A `Refusal` travels over the socket as `{ code, message }`; anything else that is thrown is a bug, not an answer.
 */
import * as z from 'zod';

export const refusalCodes = [
  'malformed', // the message does not fit its schema
  'protocol_version', // the client speaks another version of the protocol
  'unknown_campaign',
  'unknown_lease',
  'unknown_upload',
  'unknown_contribution',
  'unknown_version',
  'version_archived', // an old version that would take too long to make again
  'campaign_not_open', // it has not begun, or is paused; come back later
  'campaign_closed',
  'wrong_status', // the campaign's status does not allow what an organiser asks for
  'unknown_invite',
  'no_campaign_folder', // the server was told of none to add campaigns from
  'unknown_campaign_file',
  'bad_campaign_file', // it cannot be served as it is
  'campaign_started', // what decides its arithmetic cannot change: there are contributions
  'invite_needed', // a private campaign, and no token that opens it
  'quota_reached', // this client or address has contributed as often as the campaign allows
  'no_shard_free', // every shard is contributed or leased; come back later
  'no_shard_left', // and none comes back for this client
  'stale_round', // trained from a version that is the newest no longer; join again
  'lease_expired',
  'lease_spent', // the lease already has its one contribution
  'too_large',
  'wrong_offset', // a chunk does not start where the stored part ends
  'wrong_hash',
  'bad_signature',
  'wrong_layout',
  'wrong_shape', // the delta has another number of values than the layout
  'not_finite', // NaN or infinity in a delta, or a loss
  'norm_too_large',
  'bad_weight', // the claimed weight is not what the shard allows
  'duplicate', // the same bytes were contributed before by somebody else
  'already_withdrawn',
  'trained_upon', // later rounds began with it, so it cannot be withdrawn
  'storage_full',
  'rate_limited',
  'unavailable', // the server cannot reach its database; a socket is hung up on, so that it turns to another server
  'internal',
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

/** The wire form of a refusal. */
export const refusalSchema = z.strictObject({ code: z.enum(refusalCodes), message: z.string().max(500) });
export type RefusalMessage = z.infer<typeof refusalSchema>;

/** A typed refusal: `code` for programs, `message` one readable sentence that says what to do. */
export class Refusal extends Error {
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
  }

  toMessage(): RefusalMessage {
    return { code: this.code, message: this.message };
  }
}
