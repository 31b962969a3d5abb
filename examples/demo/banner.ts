import { demoPassword } from './people.ts';
import type { DemoSettings } from './settings.ts';

/** What the terminal says when everything answers. The last line is for programs that wait for it. */
export function banner({ issuer, app, api, notes, data }: DemoSettings): string {
  return `
Tessera keeps a live session behind every token. See for yourself:

  Open     ${app}
  Sign in  ada (may read and write) or bob (may only read), password ${demoPassword}

  What runs here            Where
  the demo app              ${app}
  Notes, a second app       ${notes}
  the API                   ${api}
  the server                ${issuer}
  your devices and apps     ${issuer}/account

  What to try
  1. Sign in and call the API. Then watch the token's two minutes run out.
  2. Refresh it 50 times at once, lose an answer, replay a stolen token.
  3. End the session elsewhere: the API refuses within a moment, without asking the server.
  4. Open Notes and continue with Tessera: no password is asked again.

  Data is kept in ${data}
  Ctrl-C ends all of it.

Ready: ${issuer}`;
}
