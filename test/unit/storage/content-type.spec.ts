import { describe, expect, it } from 'vitest';
import { isContentTypePattern, matchesContentType, parseContentType } from '../../../lib/storage/content-type.js';

describe('matchesContentType', () => {
  it('matches by the full type, the main type and the subtype, and by nothing else', () => {
    const matching = ['text/csv', 'text', 'csv', 'text/*', '*', '*/*', 'TEXT/CSV', ' csv '];
    const other = [
      'text/cs',
      'ext/csv',
      'tex',
      'cs',
      'sv',
      '*/csv',
      'application/csv',
      'plain',
      'text/',
      '/csv',
      '',
      'te*',
    ];
    expect(matching.filter((pattern) => !matchesContentType('text/csv', [pattern]))).toEqual([]);
    expect(other.filter((pattern) => matchesContentType('text/csv', [pattern]))).toEqual([]);
  });

  it('looks at the type without its parameters', () => {
    expect(matchesContentType('Text/CSV; charset=utf-8', ['csv'])).toBe(true);
    expect(matchesContentType('text/plain; a=csv', ['csv'])).toBe(false);
  });

  it('needs one match of many, and matches nothing by no pattern', () => {
    expect(matchesContentType('image/png', ['pdf', 'image/*'])).toBe(true);
    expect(matchesContentType('image/png', [])).toBe(false);
  });

  it('takes a compound subtype as a whole', () => {
    expect(matchesContentType('image/svg+xml', ['xml', 'svg'])).toBe(false);
    expect(matchesContentType('image/svg+xml', ['svg+xml'])).toBe(true);
  });
});

describe('parseContentType', () => {
  it('gives the type in lower case without parameters', () => {
    expect(parseContentType('Text/CSV ; charset=utf-8')).toBe('text/csv');
  });

  it.each(['', 'text', 'text/', '/csv', 'a/b/c', 'te xt/csv', 'text/csv\r\nx: y', 'текст/csv'])(
    'takes %j for no type',
    (value) => {
      expect(parseContentType(value)).toBeUndefined();
    },
  );
});

describe('isContentTypePattern', () => {
  it('knows patterns that can match', () => {
    expect(['text/csv', 'csv', 'image/*', '*', '*/*', 'svg+xml'].every(isContentTypePattern)).toBe(true);
    expect(['', 'a/b/c', '*/csv', 'te*', 'text/', 'a b'].some(isContentTypePattern)).toBe(false);
  });
});
