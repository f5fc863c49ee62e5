/** The ranges in which so many bytes are copied. One for all of them is `undefined`: S3 takes no range of small objects. */
export function copyRanges(size: number, partSize: number): (string | undefined)[] {
  if (size <= partSize) return [undefined];
  return Array.from({ length: Math.ceil(size / partSize) }, (_, part) => {
    return `bytes=${part * partSize}-${Math.min((part + 1) * partSize, size) - 1}`;
  });
}
