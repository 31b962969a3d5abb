/** Lines of a file of this repository: from the first line that begins with `from` to the next one that is `to`. */
export type Excerpt = { file: string; from: string; to: string };

/** A button of the page that makes a point, with what it shows and the code it runs. */
export type Experiment = {
  id: 'refresh-fifty' | 'lose-answer' | 'stolen-token' | 'end-elsewhere' | 'sign-out-everywhere';
  button: string;
  isDestructive: boolean;
  shows: string;
  code: readonly Excerpt[];
};

const page = 'examples/demo/app/page/experiments';
const verdict = 'packages/server/src/sessions/refresh-verdict.ts';

/** The five, in the order of the page. */
export const experiments: readonly Experiment[] = [
  {
    id: 'refresh-fifty',
    button: 'Refresh 50 times at once',
    isDestructive: false,
    shows: 'Fifty copies of this tab present the same refresh token. With many servers, that signs you out.',
    code: [
      { file: `${page}/refresh-fifty.ts`, from: 'export async function refreshFiftyTimes', to: '}' },
      { file: verdict, from: '  const behind =', to: '}' },
    ],
  },
  {
    id: 'lose-answer',
    button: 'Lose the answer and retry',
    isDestructive: false,
    shows: 'The server replaces your refresh token, and its answer never arrives. The app has only the old one.',
    code: [
      { file: `${page}/lose-answer.ts`, from: 'export async function loseTheAnswer', to: '}' },
      { file: verdict, from: '  const behind =', to: '}' },
    ],
  },
  {
    id: 'stolen-token',
    button: 'Replay a stolen token',
    isDestructive: false,
    shows: 'Somebody copied a refresh token and tries it on another machine: first yours, then one of an old app.',
    code: [
      { file: `${page}/stolen-token.ts`, from: 'export async function replayStolenToken', to: '}' },
      { file: verdict, from: '  const behind =', to: '}' },
    ],
  },
  {
    id: 'end-elsewhere',
    button: 'End this session elsewhere',
    isDestructive: true,
    shows:
      'The operator ends your session while your access token is still good for two minutes. When does the API know?',
    code: [
      { file: `${page}/end-elsewhere.ts`, from: 'export async function endSessionElsewhere', to: '}' },
      { file: 'examples/demo/api/orders-api.ts', from: '  const edge = createEdge({', to: '  });' },
    ],
  },
  {
    id: 'sign-out-everywhere',
    button: 'Sign out everywhere',
    isDestructive: true,
    shows: 'Ends every session you have, on every device, with every app in it.',
    code: [
      { file: `${page}/sign-out-everywhere.ts`, from: 'export async function signOutEverywhere', to: '}' },
      { file: 'examples/demo/app/page/refusal-watch.ts', from: 'async function callUntilRefused', to: '}' },
    ],
  },
];
