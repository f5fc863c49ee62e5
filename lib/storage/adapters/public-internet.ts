import { lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { LookupFunction } from 'node:net';
import { LocationInvalidError } from '../../errors/storage.errors.js';

// https://www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
// Two lists: in one, an IPv4 address would be looked for among the IPv6 networks as well.
const closed = { ipv4: new BlockList(), ipv6: new BlockList() };
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // The host service of Azure: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  closed.ipv4.addSubnet(network, prefix, 'ipv4');
}
// Only 2000::/3 is given out; within it these lead elsewhere: Teredo, 6to4.
for (const [network, prefix] of [
  ['::', 3],
  ['2001::', 32],
  ['2002::', 16],
  ['4000::', 2],
  ['8000::', 1],
] as const) {
  closed.ipv6.addSubnet(network, prefix, 'ipv6');
}

/** Whether the address is one of the public internet, and not of this machine or its network. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  return !closed[kind].check(address, kind);
}

/**
 * As `dns.lookup`, for `http.request`: names that lead into a private network are refused. The checked address is the
 * one that is connected to.
 */
export const lookupPublic: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const refused = addresses?.find(({ address }) => !isPublicAddress(address));
    if (error) done(error, '');
    // Without the address: the names of a private network are its own.
    else if (refused) done(new LocationInvalidError(hostname, 'it leads to an address that is not public'), '');
    else if (options.all) done(null, addresses);
    else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
  });
};
