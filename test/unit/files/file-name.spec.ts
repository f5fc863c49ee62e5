import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cleanFileName } from '../../../lib/files/file-name.js';

describe('cleanFileName', () => {
  it.each([
    'документ.pdf',
    '日本語',
    'عربى.txt',
    'emoji 🗂️👨‍👩‍👧.png',
    'a  b.txt',
    "it's #1 100%.csv",
    '.env',
    'a..b',
    'x;"\'<>|?*',
  ])('keeps %j as it is', (name) => {
    expect(cleanFileName(name)).toBe(name);
  });

  it.each([
    ['a/b.txt', 'a_b.txt'],
    ['../../etc/passwd', '.._.._etc_passwd'],
    ['C:\\dir\\x.txt', 'C:_dir_x.txt'],
    ['a\nb\r\0\u0085\u007f.txt', 'a_b____.txt'],
    ['invoice\u202efdp.exe', 'invoice_fdp.exe'],
    ['half \ud83d.txt', 'half _.txt'],
    ['U\u0308bersicht.pdf', '\u00dcbersicht.pdf'],
    ['\u1112\u1161\u11ab.txt', '\ud55c.txt'],
    [' edges ', 'edges'],
    ['..', '__'],
    ['.', '_'],
  ])('makes %j into %j', (name, clean) => {
    expect(cleanFileName(name)).toBe(clean);
  });

  it.each([undefined, null, '', '  ', '\n', 5, {}, 'x'.repeat(256)])('refuses %j', (name) => {
    expect(() => cleanFileName(name)).toThrow(expect.objectContaining({ code: 'FILES_FILE_NAME_INVALID' }));
  });

  it('counts characters and not their halves', () => {
    expect(cleanFileName('😀'.repeat(255))).toHaveLength(510);
    expect(() => cleanFileName('😀'.repeat(256))).toThrow('255');
  });

  it('changes nothing when it is asked again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }), (name) => {
        fc.pre(name.trim() !== '');
        const clean = cleanFileName(name);
        return cleanFileName(clean) === clean;
      }),
    );
  });
});
