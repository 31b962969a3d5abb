import { findRefusal, type Refusal } from '../admin/refusals.ts';
import { type Register, storeCommand } from './command.ts';
import { runOperation, type StoreOptions } from './command-context.ts';
import { describeEvent } from './events.ts';
import { exact, facts, print } from './output.ts';

/** `tessera refusal`: why a request was refused. */
export const register: Register = (program, terminal) => {
  program.addCommand(
    storeCommand('refusal', 'Explain a refusal by the refusal_id of its answer')
      .argument('<refusal_id>')
      .action(async (refusalId: string, options: StoreOptions) =>
        print(
          terminal,
          options,
          await runOperation(terminal, options, (context) => findRefusal(context, refusalId)),
          describe,
        ),
      ),
  );
};

function describe({ refusalId, at, reason, meaning, event, cause }: Refusal): string[] {
  const data = event.data ?? {};
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return [
    ...facts([
      ['refusal', refusalId],
      ['at', exact(at)],
      ['endpoint', text(data.endpoint)],
      ['reason', reason],
      ['meaning', meaning],
      ['said', text(data.description)],
      ['expected', text(data.expected)],
      ['got', text(data.got)],
      ['client', event.clientId],
      ['user', event.userId],
      ['session', event.sid],
      ['grant', event.grantId],
    ]),
    ...(cause ? ['', 'Because of:', `  ${describeEvent(cause)}`] : []),
  ];
}
