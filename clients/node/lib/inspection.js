// Verifies with the kernel the cage that a child claims, before it gets any source.
import { readFileSync } from 'node:fs';

import { IsolationUnavailable, ProtocolViolation } from './errors.js';

const STRICT_LAYERS = [
  'memory', 'cpu', 'files', 'processes', 'core', 'descriptors', 'environment', 'capabilities', 'no_new_privs',
  'seccomp', 'sealed_code',
];
// Layers that were added after 1.0: older children do not name them.
const ADDED_LAYERS = ['sealed_code'];

// proc(5), /proc/PID/status. Capability sets are in hexadecimal.
const EXPECTED = {
  Seccomp: '2',
  NoNewPrivs: '1',
  Threads: '1',
  CapEff: '0000000000000000',
  CapPrm: '0000000000000000',
};

const TICK_MS = 10; // the unit of proc(5) on Linux, whatever the kernel counts in

/** CPU that a process has used, in milliseconds; null if it cannot be read. */
export function cpuMs(pid) {
  if (pid === null) return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The second field is the program's name in parentheses, and may hold anything. utime and stime: 14th, 15th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    return Number.isFinite(ticks) ? ticks * TICK_MS : null;
  } catch {
    return null;
  }
}

/** Throw ProtocolViolation unless the child claims every layer of strict isolation. */
export function requireLayers(isolation) {
  const named = STRICT_LAYERS.filter((name) => Object.hasOwn(isolation, name) || !ADDED_LAYERS.includes(name));
  const missing = named.filter((name) => !(Object.hasOwn(isolation, name) && isolation[name].applied));
  if (missing.length) throw new ProtocolViolation(`the child went on without isolation: ${missing.join(', ')}`);
}

/** Throw ProtocolViolation if the kernel does not confirm the cage, IsolationUnavailable if it cannot be asked. */
export function requireCage(pid) {
  let status;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch (cause) {
    throw new IsolationUnavailable(
      `strict isolation cannot be verified: ${cause.message}; mount /proc without hidepid, or pass isolation best_effort`,
      { cause },
    );
  }
  const difference = whyNotCaged(status);
  if (difference) throw new ProtocolViolation(`the child claims a cage that the kernel does not confirm: ${difference}`);
}

/** The first line of a /proc/PID/status that is not as the cage makes it; undefined where all are. */
export function whyNotCaged(status) {
  const found = new Map(Array.from(status.matchAll(/^(\w+):\t(.*)$/gm), ([, name, value]) => [name, value]));
  for (const [name, expected] of Object.entries(EXPECTED)) {
    const value = found.get(name) ?? 'missing';
    if (value !== expected) return `${name} is ${value}, not ${expected}`;
  }
  return undefined;
}
