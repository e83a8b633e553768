/**
 * Finds a Chromium for the demo and the end-to-end tests. Plain JavaScript: it also runs before anything is installed.
 */
import { existsSync } from 'node:fs';

const installed = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** What to tell a person whose machine has no browser. */
export const INSTALL_BROWSER =
  'No Chromium was found. Install one with `npx playwright install --with-deps chromium` ' +
  '(or, on Debian and Ubuntu, `apt-get install chromium`), or set PW_CHROMIUM to the path of one.';

/**
 * The path of a Chromium: `PW_CHROMIUM`, else Playwright's own download, else one that the system has.
 * @returns {Promise<string>}
 * @throws Error with the line that installs one
 */
export async function findBrowser() {
  const named = process.env.PW_CHROMIUM;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`PW_CHROMIUM names ${named}, which does not exist.`);
  }
  const downloaded = await playwrightsOwn();
  const found = [downloaded, ...installed].find((path) => path !== undefined && existsSync(path));
  if (found) return found;
  throw new Error(INSTALL_BROWSER);
}

async function playwrightsOwn() {
  const playwright = await import('playwright-core').catch((error) => {
    // Before the first `npm install` there is no Playwright to ask.
    if (error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  });
  return playwright?.chromium.executablePath();
}

/**
 * Flags for a headless browser on a machine without a GPU: `webgpu` runs on the software adapter SwiftShader.
 * Without the background flags a Chromium on a closed network floods it with refused connections.
 * @param {{ webgpu: boolean }} options
 * @returns {string[]}
 */
export function browserFlags({ webgpu }) {
  const asRoot = process.getuid?.() === 0;
  return [
    ...(asRoot ? ['--no-sandbox'] : []),
    ...(webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : []),
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
  ];
}
