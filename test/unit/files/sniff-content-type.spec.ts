import { describe, expect, it } from 'vitest';
import { sniffContentType, sniffSize } from '../../../lib/files/sniffing/sniff-content-type.js';
import { DOCX_TYPES, gzip, pdf, png, zip } from '../../support/files-samples.js';

const sniff = (content: string | Uint8Array, declared?: string) =>
  sniffContentType(Buffer.from(content as string), { declared });

describe('sniffContentType', () => {
  it.each([
    ['application/pdf', pdf],
    ['application/pdf', Buffer.from('%PDF-1.4\nall of it is text\n')],
    ['image/png', png],
    ['image/jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70, 0])],
    ['image/gif', Buffer.from('GIF89a')],
    ['application/zip', zip({ 'a.txt': 'a' })],
    ['application/gzip', gzip],
    ['text/calendar', Buffer.from('BEGIN:VCALENDAR\r\nVERSION:2.0\r\n')],
  ])('knows %s by its signature, whatever is claimed', async (type, bytes) => {
    expect(await sniff(bytes)).toBe(type);
    expect(await sniff(bytes, 'text/csv')).toBe(type);
    expect(await sniff(bytes, 'text/html')).toBe(type);
  });

  it.each([
    ['text/html', '<!DOCTYPE html><p>x'],
    ['text/html', '\n\t <HTML lang="en">'],
    ['text/html', '<!-- a comment --> <script>alert(1)</script>'],
    ['text/html', '<!-- a comment that never ends'],
    ['text/html', '\ufeff<p>x</p>'],
    ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>'],
    ['image/svg+xml', '<?xml version="1.0"?>\n<!-- c --><svg>'],
    ['image/svg+xml', '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x"><svg>'],
    ['image/svg+xml', '<x:svg xmlns:x="http://www.w3.org/2000/svg"/>'],
    ['image/svg+xml', '<svg/onload=alert(1)>'],
    ['application/xhtml+xml', '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml">'],
    ['application/xml', '<?xml version="1.0"?><a/>'],
    ['application/xml', '<rss xmlns:atom="http://www.w3.org/2005/Atom">'],
    ['application/xml', '<!DOCTYPE note><note/>'],
  ])('finds %s in %j, whatever is claimed', async (type, text) => {
    expect(await sniff(text)).toBe(type);
    expect(await sniff(text, 'text/plain')).toBe(type);
    expect(await sniff(text, 'image/png')).toBe(type);
  });

  it('finds SVG in UTF-16 and in Latin-1', async () => {
    expect(await sniff(Buffer.from('\ufeff<?xml version="1.0"?><svg>', 'utf16le'))).toBe('image/svg+xml');
    const latin1 = Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><!-- é --><svg>', 'latin1');
    expect(await sniff(latin1)).toBe('image/svg+xml');
  });

  it.each([
    '',
    'plain',
    'a,b\n1,2',
    '{"a":1}',
    'документ',
    '日本語',
    '<note>',
    '# <b>',
    'x <html>',
    '<a/>',
    '<abbr>',
    '<?php x',
  ])('takes %j for text', async (text) => {
    expect(await sniff(text)).toBe('text/plain');
  });

  it('takes text that begins like a binary format for text', async () => {
    for (const text of ['BMW builds cars', 'MZ', 'GIF is a format', 'ID3 tags', 'solid ground', 'OggS', 'FORM']) {
      expect(await sniff(text)).toBe('text/plain');
    }
  });

  it('takes UTF-16 text with its mark for text, and not for music', async () => {
    expect(await sniff(Buffer.from('\ufeffhello', 'utf16le'))).toBe('text/plain');
    expect(await sniff(Buffer.from('\ufeffhello', 'utf16le').swap16())).toBe('text/plain');
  });

  it('believes a declared type among kinds of text', async () => {
    for (const declared of ['text/csv', 'application/json', 'text/markdown', 'application/geo+json']) {
      expect(await sniff('a,b', declared)).toBe(declared);
    }
  });

  it('refuses to call text anything that a browser would run, or a type that text cannot have', async () => {
    const claims = [
      'text/html',
      'image/svg+xml',
      'application/xml',
      'text/xml',
      'text/javascript',
      'text/css',
      'image/png',
    ];
    for (const declared of [...claims, 'application/pdf', 'application/x+xml', 'application/octet-stream']) {
      expect(await sniff('a,b', declared)).toBe('text/plain');
    }
  });

  it('takes unknown bytes for nothing else, whatever is claimed', async () => {
    const unknown = Buffer.from([0, 1, 2, 3, 200, 201, 7, 7, 7, 7, 7, 7]);
    expect(await sniff(unknown)).toBe('application/octet-stream');
    for (const declared of ['image/png', 'text/csv', 'application/pdf', 'application/msword']) {
      expect(await sniff(unknown, declared)).toBe('application/octet-stream');
    }
  });

  it('accepts a character that is cut in two', async () => {
    expect(await sniff(Buffer.from('документ').subarray(0, 5))).toBe('text/plain');
  });

  it('asks for more of a zip, and finds a docx whose types come late', async () => {
    const docx = zip({
      'word/media/image.bin': 'x'.repeat(9000),
      '[Content_Types].xml': DOCX_TYPES,
      'word/document.xml': '<x/>',
    });
    const head = docx.subarray(0, sniffSize(docx));
    expect(head.length).toBe(docx.length);
    expect(await sniff(head)).toBe('application/vnd.openxmlformats-officedocument.wordprocessingml.document');
    expect(sniffSize(pdf)).toBe(4100);
  });
});
