// count.mjs REPORT EXIT_CODE: prints how many checks of a vitest run passed and failed.
import { readFileSync } from 'node:fs';

const [report, exitCode] = process.argv.slice(2);
const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));

// A file that failed without a failed test did not load, or broke in a hook.
const broken = testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
).length;
const failed = numFailedTests + broken;

// Errors outside of any test, and a run without tests, show in the exit code only.
console.log(numPassedTests, failed === 0 && exitCode !== '0' ? 1 : failed);
