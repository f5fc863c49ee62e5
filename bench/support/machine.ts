import { cpus, loadavg, release, totalmem, type } from 'node:os';

/** What the figures were measured on, as a line. */
export function describeMachine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const load = loadavg()[0]?.toFixed(1);
  return `${cpus().length} × ${cpu?.model.trim()}, ${memory} GiB, ${type()} ${release()}, Node ${process.version}, load ${load} at the start`;
}
