import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { confirm, readNewPassword } from './password-input.ts';
import type { Terminal } from './terminal.ts';

/** A terminal at which a person types; `typed` in pieces, one for each line. */
function typing(...typed: string[]): { terminal: Terminal; shown: () => string; isRaw: () => boolean } {
  const input = new PassThrough();
  let shown = '';
  let isRaw = false;
  const waiting = [...typed];
  const terminal = {
    input: Object.assign(input, { isTTY: true, setRawMode: (raw: boolean) => (isRaw = raw) }),
    prompt: (text: string) => {
      shown += text;
      // A person answers once they are asked.
      if (text.endsWith(' ')) setImmediate(() => input.write(waiting.shift() ?? '\r'));
    },
  } as unknown as Terminal;
  return { terminal, shown: () => shown, isRaw: () => isRaw };
}

describe('passwords from the terminal', () => {
  test('are typed twice, and nothing of them is shown', async () => {
    const { terminal, shown, isRaw } = typing('a long pass\r', 'a long pass\r');
    assert.equal(await readNewPassword(terminal), 'a long pass');
    assert.equal(shown(), 'New password: \nOnce more: \n');
    assert.equal(isRaw(), false, 'the terminal echoes again afterwards');
  });

  test('can be corrected with backspace, whole characters at a time', async () => {
    const { terminal } = typing('pass🙂\u007f\u007fs word\r', 'pas\u007fss word\n');
    assert.equal(await readNewPassword(terminal), 'pass word');
  });

  test('that differ are refused', async () => {
    const { terminal } = typing('one passphrase\r', 'another one\r');
    await assert.rejects(readNewPassword(terminal), /the two passwords differ/);
  });

  test('Ctrl-C stops, and the terminal echoes again', async () => {
    const { terminal, isRaw } = typing('half a pass\u0003');
    await assert.rejects(readNewPassword(terminal), { code: 'command_failed', message: /stopped/ });
    assert.equal(isRaw(), false);
  });
});

describe('what cannot be undone', () => {
  test('is done after a yes, and only then', async () => {
    await confirm(typing('y\r').terminal, 'Remove?', undefined);
    await confirm(typing('Yes\r').terminal, 'Remove?', undefined);
    for (const answer of ['\r', 'n\r', 'yesno\r', '\u0003'])
      await assert.rejects(confirm(typing(answer).terminal, 'Remove?', undefined), { code: 'command_failed' });
  });

  test('is done by programs that say --yes', async () => {
    const { terminal, shown } = typing();
    await confirm(terminal, 'Remove?', true);
    assert.equal(shown(), '');
  });
});
