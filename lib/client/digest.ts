/** The SHA-256 of the bytes, which browsers compute on HTTPS and on localhost only. */
export async function sha256(bytes: ArrayBuffer): Promise<number[]> {
  return [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))];
}
