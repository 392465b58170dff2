/** Why a process could not be started, and what to do: Node says only `spawn flowcage ENOENT`. */
export function whyNotStarted(cause) {
  if (cause.code !== 'ENOENT' || !cause.syscall?.startsWith('spawn')) return cause.message;
  const advice = 'activate the environment that flowcage is installed in, or give `command`';
  return `${cause.message}: no such program on the PATH, or no folder \`cwd\`; ${advice}`;
}
