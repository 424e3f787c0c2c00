/** Standard output: text or octets, at the pace of whoever reads it. When the reader goes away, the command just ends. */

/** Thrown when nobody reads our output any more; no failure. */
export class OutputClosed extends Error {
  constructor() {
    super('standard output was closed');
    this.name = 'OutputClosed';
  }
}

export class Output {
  readonly #stream: NodeJS.WriteStream;
  #error: Error | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    stream.on('error', (error: Error) => {
      this.#error ??= error;
    });
  }

  /** Resolves when the reader has room for more. @throws OutputClosed; the stream's error, as when the disk is full */
  async write(octets: Buffer | string): Promise<void> {
    this.#check();
    if (!this.#stream.write(octets)) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          this.#stream.off('drain', go).off('error', go).off('close', go);
          resolve();
        };
        this.#stream.on('drain', go).on('error', go).on('close', go);
      });
    }
    this.#check();
  }

  /** Resolves when all that was written has left. @throws as write does */
  async flush(): Promise<void> {
    await new Promise<void>((resolve) => this.#stream.write('', () => resolve()));
    this.#check();
  }

  #check(): void {
    if (this.#error === undefined) return;
    if ('code' in this.#error && (this.#error.code === 'EPIPE' || this.#error.code === 'ERR_STREAM_DESTROYED')) {
      throw new OutputClosed();
    }
    throw this.#error;
  }
}
