/** SASL PLAIN (RFC 4616): authorization, login and password in one response, NUL between them. */
import { PeerError } from './errors.ts';
import { limits } from './limits.ts';
import { type SaslExchange, type SaslMechanism, type SaslStep, saslText } from './sasl.ts';

class PlainExchange implements SaslExchange {
  respond(octets: Buffer | undefined): SaslStep {
    if (octets === undefined) return { kind: 'challenge', octets: Buffer.alloc(0) };
    const first = octets.indexOf(0);
    const second = first === -1 ? -1 : octets.indexOf(0, first + 1);
    if (second === -1) throw new PeerError('saslMalformed', 'PLAIN: not three fields');
    const authorization = saslText(octets.subarray(0, first), limits.loginBytes);
    const login = saslText(octets.subarray(first + 1, second), limits.loginBytes);
    const password = saslText(octets.subarray(second + 1), limits.passwordBytes);
    if (login === '' || password === '') throw new PeerError('saslMalformed', 'PLAIN: an empty login or password');
    const isOther = authorization !== '' && authorization !== login;
    return { kind: 'password', login, password, authorization: isOther ? authorization : undefined };
  }
}

export const saslPlain: SaslMechanism = { name: 'PLAIN', start: () => new PlainExchange() };
