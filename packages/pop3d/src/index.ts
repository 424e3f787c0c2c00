/** The POP3 daemon's face for the supervisor. */
import { fileURLToPath } from 'node:url';

/** The daemon's program. */
export const pop3Program: string = fileURLToPath(new URL('./main.js', import.meta.url));
