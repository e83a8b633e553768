import { describe, expect, it, vi } from 'vitest';
import { browserFlags, findBrowser, INSTALL_BROWSER } from './find-browser.mjs';

describe('findBrowser', () => {
  it('takes the browser named in PW_CHROMIUM, and refuses one that is not there', async () => {
    vi.stubEnv('PW_CHROMIUM', process.execPath);
    expect(await findBrowser()).toBe(process.execPath);
    vi.stubEnv('PW_CHROMIUM', '/nowhere/chromium');
    await expect(findBrowser()).rejects.toThrow('/nowhere/chromium');
    vi.unstubAllEnvs();
  });

  it('has a line that installs one', () => {
    expect(INSTALL_BROWSER).toMatch(/npx playwright install/);
  });
});

describe('browserFlags', () => {
  it('asks for the software adapter only where WebGPU is wanted', () => {
    expect(browserFlags({ webgpu: true })).toContain('--use-webgpu-adapter=swiftshader');
    expect(browserFlags({ webgpu: false })).not.toContain('--use-webgpu-adapter=swiftshader');
  });
});
