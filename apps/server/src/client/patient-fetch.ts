/**
 * `fetch` for answers that take a server long to make: the adapter of a dense merge of a large model, the check of a whole
 * campaign, a campaign file that is read. Node's own gives up after five minutes.
 */
import { Agent, fetch, type RequestInit, type Response } from 'undici';

const LONGEST_MS = 60 * 60 * 1000;
const patient = new Agent({ headersTimeout: LONGEST_MS });

/** As `fetch`, waiting up to an hour for the first byte of the answer. */
export function patientFetch(url: string | URL, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, dispatcher: patient });
}
