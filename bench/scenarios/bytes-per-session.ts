import { sizesOf, sumOf } from '../measure/store-size.ts';
import type { Population } from '../population/populate.ts';
import { type Row, rounded, rowOfFigure } from '../report.ts';
import type { StoreName } from './scenario.ts';

/** What a stored session takes with one grant, indexes included; what each further grant takes, and the user behind it. */
export async function runBytesPerSession(store: StoreName, { place, sessions }: Population): Promise<Row> {
  const sizes = await sizesOf(place);
  const each = (...tables: string[]) => sumOf(sizes, tables).bytes / sessions;
  const session = each('sessions');
  const grant = each('grants', 'grant_state');
  return rowOfFigure({ scenario: 'bytes_per_session', store, subject: 'tessera' }, 'bytes', session + grant, {
    sessions,
    session: rounded(session),
    grant: rounded(grant),
    user: rounded(each('documents', 'user_names')),
  });
}
