/**
 * SASL LOGIN: the login and the password each asked for. It never became an RFC, but Outlook and many devices speak nothing
 * else. The challenges are the words that all servers send; some clients give the login with the command.
 */
import { PeerError } from './errors.ts';
import { limits } from './limits.ts';
import { type SaslExchange, type SaslMechanism, type SaslStep, saslText } from './sasl.ts';

class LoginExchange implements SaslExchange {
  #login: string | undefined;

  respond(octets: Buffer | undefined): SaslStep {
    if (octets === undefined) return { kind: 'challenge', octets: Buffer.from('Username:') };
    if (this.#login === undefined) {
      this.#login = saslText(octets, limits.loginBytes);
      if (this.#login === '') throw new PeerError('saslMalformed', 'LOGIN: an empty login');
      return { kind: 'challenge', octets: Buffer.from('Password:') };
    }
    const password = saslText(octets, limits.passwordBytes);
    if (password === '') throw new PeerError('saslMalformed', 'LOGIN: an empty password');
    return { kind: 'password', login: this.#login, password, authorization: undefined };
  }
}

export const saslLogin: SaslMechanism = { name: 'LOGIN', start: () => new LoginExchange() };
