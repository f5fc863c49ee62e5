import { sizeText } from './output.js';

/** One value of a chart, and what it is of. */
export interface Datum {
  readonly name: string;
  readonly value: number;
  /** The text that appears when the mouse rests on it. */
  readonly note: string;
}

const WIDTH = 720;
const HEIGHT = 260;
const [LEFT, RIGHT, TOP, BOTTOM] = [84, 12, 12, 34];
const LINES = 4;

/** Text of a page. */
export function escaped(text: string): string {
  const codes: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replaceAll(/[&<>"']/g, (character) => codes[character] ?? character);
}

/** Horizontal bars under each other, as a part of an HTML page; the first one is the longest. */
export function barsOf(data: readonly Datum[], label: string): string {
  const most = Math.max(1, ...data.map(({ value }) => value));
  const rows = data.map(({ name, value, note }) => {
    const share = ((value / most) * 100).toFixed(2);
    return (
      `<tr><th scope="row" title="${escaped(name)}">${escaped(name)}</th>` +
      `<td><svg role="img" aria-label="${escaped(note)}" preserveAspectRatio="none" viewBox="0 0 100 10">` +
      `<rect width="${share}" height="10" rx="1"><title>${escaped(note)}</title></rect></svg></td>` +
      `<td class="number">${escaped(note)}</td></tr>`
    );
  });
  return `<table class="bars" aria-label="${escaped(label)}">${rows.join('')}</table>`;
}

/** Columns beside each other, in the order of time, with a scale of bytes. */
export function columnsOf(data: readonly Datum[], label: string): string {
  const most = topOf(Math.max(1, ...data.map(({ value }) => value)));
  const [width, height] = [WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  const step = width / Math.max(data.length, 1);
  const columns = data.map(({ value, note }, at) => {
    const tall = (value / most) * height;
    const x = (LEFT + at * step + step * 0.1).toFixed(1);
    const y = (TOP + height - tall).toFixed(1);
    const size = `width="${Math.max(step * 0.8, 0.5).toFixed(1)}" height="${tall.toFixed(1)}"`;
    return `<rect x="${x}" y="${y}" ${size}><title>${escaped(note)}</title></rect>`;
  });
  const scale = Array.from({ length: LINES + 1 }, (_, at) => {
    const y = (TOP + height - (at / LINES) * height).toFixed(1);
    const value = sizeText(Math.round((most * at) / LINES));
    return (
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>` +
      `<text x="${LEFT - 8}" y="${y}" text-anchor="end" dominant-baseline="middle">${value}</text>`
    );
  });
  // So many names fit beside each other.
  const every = Math.ceil(data.length / 10);
  const names = data.flatMap(({ name }, at) =>
    at % every === 0
      ? `<text x="${(LEFT + (at + 0.5) * step).toFixed(1)}" y="${HEIGHT - 12}" text-anchor="middle">${escaped(name)}</text>`
      : [],
  );
  return (
    `<svg class="columns" role="img" aria-label="${escaped(label)}" viewBox="0 0 ${WIDTH} ${HEIGHT}">` +
    `<g class="scale">${scale.join('')}</g>${columns.join('')}<g class="names">${names.join('')}</g></svg>`
  );
}

/** The end of a scale: a short number of a unit of bytes. */
function topOf(most: number): number {
  const unit = 1024 ** Math.floor(Math.log(most) / Math.log(1024));
  const amount = most / unit;
  const power = 10 ** Math.floor(Math.log10(amount));
  const factor = [1, 1.6, 2, 3, 4, 6, 8, 10].find((one) => one * power >= amount) ?? 10;
  // Four lines of whole numbers.
  return Math.max(factor * power * unit, LINES);
}
