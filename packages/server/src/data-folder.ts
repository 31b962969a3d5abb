import { mkdir } from 'node:fs/promises';
import { StoreNotUsable } from './store/store-not-usable.ts';

/** Makes the data folder where it is not there, closed to others. Throws `StoreNotUsable` with what to do when it cannot be made. */
export async function makeDataFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new StoreNotUsable(
      `the data folder ${folder} cannot be made (${code ?? 'error'}); let this user write there, or name another: data, --data or TESSERA_DATA`,
      { cause },
    );
  }
}
