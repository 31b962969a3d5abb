import { type FileHandle, stat } from 'node:fs/promises';

/**
 * Gives a new file the owner of what it takes the place of, or of the folder it lies in: an operator's `sudo tessera …` must not leave a file that the
 * server's own user cannot read at its next start. Only root can give a file away, so for everybody else nothing happens.
 */
export async function keepOwner(file: FileHandle, model: string): Promise<void> {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = await stat(model);
  if (uid !== 0) await file.chown(uid, gid);
}
