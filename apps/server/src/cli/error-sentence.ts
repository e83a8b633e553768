/** What a command says when it fails: errors of ours are sentences already, those of the operating system become some. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** As Node throws them: a file's error names its path, a listener's its port and address. */
interface SystemError extends NodeJS.ErrnoException {
  port?: number;
  address?: string;
}

/** One sentence for a person. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall, path, port, address } = error as SystemError;
  if (syscall === 'listen') {
    if (code === 'EADDRINUSE') return `Port ${port} is taken; stop what listens there, or name another --port.`;
    if (code === 'EACCES') return `Port ${port} may not be listened on by this user; name another --port, above 1023.`;
    if (code === 'EADDRNOTAVAIL') return `This machine has no address ${address}; name another --host.`;
  }
  if (path !== undefined) {
    const file = code === 'EEXIST' || code === 'ENOTDIR' ? fileOnTheWay(path) : null;
    if (file !== null) return `${file} is a file, not a directory; name another folder.`;
    if (code === 'ENOENT') return `There is no ${resolve(path)}.`;
    if (code === 'EACCES' || code === 'EPERM') return `This user may not use ${resolve(path)} (${error.message}).`;
  }
  return error.message;
}

/** The nearest of a path and its parents that is there, if it is no directory. */
function fileOnTheWay(path: string): string | null {
  for (let at = resolve(path); ; at = dirname(at)) {
    try {
      return statSync(at).isDirectory() ? null : at;
    } catch (error) {
      if (at === dirname(at)) throw error;
    }
  }
}
