import { CommandFailure } from './failure.ts';
import type { Terminal } from './terminal.ts';

const longestBytes = 8192;

/**
 * A new password: typed twice without echo by a person, or else the first line of standard input. Never an argument, which every user of the machine could
 * read.
 */
export async function readNewPassword(terminal: Terminal): Promise<string> {
  if (!terminal.input.isTTY) return readPiped(terminal);
  const first = await readTyped(terminal, 'New password: ');
  const second = await readTyped(terminal, 'Once more: ');
  if (first !== second) throw new CommandFailure('the two passwords differ; nothing was changed');
  return first;
}

/** Asks a person to confirm what cannot be undone; a program says so with `--yes`. */
export async function confirm(terminal: Terminal, question: string, isConfirmed: boolean | undefined): Promise<void> {
  if (isConfirmed) return;
  if (!terminal.input.isTTY) throw new CommandFailure(`${question} Say so with --yes.`, 2);
  const answer = await readTyped(terminal, `${question} [y/N] `, { isShown: true });
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandFailure('nothing was changed');
}

async function readPiped({ input }: Terminal): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    length += bytes.length;
    if (length > longestBytes)
      throw new CommandFailure(`expected a password on standard input, got more than ${longestBytes} bytes`, 2);
  }
  const [line = ''] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/);
  if (line !== '') return line;
  throw new CommandFailure(
    'expected a password on standard input, got nothing; pipe it in, or run this in a terminal',
    2,
  );
}

/** Reads one line in raw mode, so that the terminal itself shows nothing. */
function readTyped(terminal: Terminal, question: string, { isShown = false } = {}): Promise<string> {
  const { input } = terminal;
  terminal.prompt(question);
  input.setRawMode?.(true);
  return new Promise((resolve, reject) => {
    let line = '';
    const finish = (settle: () => void) => {
      input.off('data', take);
      input.setRawMode?.(false);
      input.pause();
      terminal.prompt('\n');
      settle();
    };
    const take = (chunk: Buffer | string) => {
      for (const character of chunk.toString()) {
        if (character === '\r' || character === '\n') return finish(() => resolve(line));
        if (character === '\u0003' || character === '\u0004')
          return finish(() => reject(new CommandFailure('stopped; nothing was changed')));
        if (character === '\u007f' || character === '\b') line = [...line].slice(0, -1).join('');
        else if (character >= ' ') line += character;
        if (isShown && character >= ' ' && character !== '\u007f') terminal.prompt(character);
      }
    };
    input.on('data', take);
    input.resume();
  });
}
