/** ID (RFC 2971): who is there. What the client says of itself goes to the log. */
import { limits } from '../limits.ts';
import { type Completion, completed } from '../reply.ts';
import type { Session } from '../session.ts';
import type { Decoder } from '../wire/decoder.ts';

/** The fields of interest, by name in small letters. */
const logged = ['name', 'version', 'vendor', 'os'];

/** Pairs of field and value; empty for NIL. */
export function expectId(decoder: Decoder): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (decoder.tryWord('NIL')) return fields;
  decoder.expectList(
    'a field',
    () => {
      const name = decoder.expectString('a field in quotes').toString('latin1').toLowerCase();
      decoder.expectSpace('a value');
      const value = decoder.tryWord('NIL') ? '' : decoder.expectString('a value in quotes, or NIL').toString('utf8');
      fields.set(name, value);
      if (fields.size > limits.idPairs) decoder.fail(`no more than ${limits.idPairs} fields`);
    },
    true,
  );
  return fields;
}

export function id(session: Session, fields: ReadonlyMap<string, string>): Completion {
  const said = logged.flatMap((name) => {
    const value = fields.get(name)?.replace(/[^\P{C} ]/gu, '?') ?? '';
    return value === '' ? [] : [`${name}=${value}`];
  });
  if (said.length > 0) {
    const client = said.join(' ').slice(0, limits.idLogBytes);
    session.services.log.info('client', { session: session.entry.id, client });
  }
  session.say('* ID ("name" "mstore")\r\n');
  return completed('pleased to meet you');
}
