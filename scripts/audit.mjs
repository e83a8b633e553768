/**
 * `npm run audit`, and a step of `npm test`: are there advisories of severity high or critical on what package-lock.json
 * installs? It is the registry that knows. One without an audit endpoint, or out of reach, is said to be so and no failure:
 * then somebody else has to ask.
 */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const ANSWER_LIMIT_MS = 60_000;
/** What registries without the endpoint answer. */
const NO_ENDPOINT = new Set([404, 405, 501]);

/**
 * @param {string} folder of a package-lock.json
 * @param {string[]} flags for npm besides, as a registry
 * @returns {Promise<{ outcome: 'passed' | 'failed' | 'skipped', report: string }>}
 */
export async function audit(folder, flags = []) {
  const args = ['audit', '--json', '--fetch-retries=1', `--fetch-timeout=${ANSWER_LIMIT_MS}`, ...flags];
  const isWindows = process.platform === 'win32';
  const npm = spawn(isWindows ? 'npm.cmd' : 'npm', args, { cwd: folder, shell: isWindows });
  const [answer, complaint] = await Promise.all([text(npm.stdout), text(npm.stderr)]);
  return judge(parsed(answer) ?? { message: complaint });
}

function judge({ metadata, vulnerabilities, statusCode, message = 'npm audit said nothing' }) {
  if (metadata) {
    const { high, critical, total } = metadata.vulnerabilities;
    const grave = Object.values(vulnerabilities).filter(({ severity }) => ['high', 'critical'].includes(severity));
    if (high + critical > 0) return { outcome: 'failed', report: grave.map(lineOf).join('\n') };
    return { outcome: 'passed', report: `no advisory is high or critical; ${total} are less` };
  }
  if (NO_ENDPOINT.has(statusCode)) {
    return { outcome: 'skipped', report: `skipped: the registry has no audit endpoint (${message})` };
  }
  if (/^request to .* failed, reason:/.test(message)) {
    return { outcome: 'skipped', report: `skipped: the registry is out of reach (${message})` };
  }
  return { outcome: 'failed', report: message };
}

function lineOf({ name, severity, range, via }) {
  const titles = via.map((cause) => (typeof cause === 'string' ? `by ${cause}` : `${cause.title}, ${cause.url}`));
  return `${severity}: ${name} ${range} (${titles.join('; ')})`;
}

function parsed(answer) {
  try {
    return JSON.parse(answer);
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { outcome, report } = await audit(fileURLToPath(new URL('..', import.meta.url)));
  console.log(report);
  if (outcome === 'failed') process.exitCode = 1;
}
