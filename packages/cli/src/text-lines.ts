/** Lines of a text file as they arrive, without their line ends (LF or CRLF), in bounded memory. */

/** Octets of a line that are kept: more than any line that is of use. */
const lineBytesMax = 65_536;
const LF = 10;

export async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let begun: Buffer[] = [];
  let begunBytes = 0;
  const take = (octets: Buffer): void => {
    if (begunBytes < lineBytesMax) begun.push(octets);
    begunBytes += octets.length;
  };
  const finish = (): string => {
    const line = Buffer.concat(begun).toString('utf8', 0, lineBytesMax);
    begun = [];
    begunBytes = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const octets of input) {
    let from = 0;
    for (let end = octets.indexOf(LF); end !== -1; end = octets.indexOf(LF, from)) {
      take(octets.subarray(from, end));
      yield finish();
      from = end + 1;
    }
    if (from < octets.length) take(octets.subarray(from));
  }
  if (begunBytes > 0) yield finish();
}
