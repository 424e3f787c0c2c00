/** The IMAP daemon's face for the supervisor. */
import { fileURLToPath } from 'node:url';

/** The daemon's program. */
export const imapProgram: string = fileURLToPath(new URL('./main.js', import.meta.url));
