import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** The system's Chromium, else the one that `npx playwright-core install chromium` has put there. */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const found = [...candidates, ...ELSEWHERE, chromium.executablePath()].find(isExecutable);
  if (found === undefined && process.env['CI'] === 'true') {
    throw new Error('There is no Chromium: apt-get install chromium, or npx playwright-core install chromium');
  }
  if (found === undefined) process.stderr.write('Skipped: the pages are tested in Chromium, which is not there.\n');
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
