/**
 * Deliveries a second by LMTP with few accounts and with many, each delivery to another account. By hand:
 * `npm run build && node test/dist/bench/accounts.js [accounts] [seconds] [connections]`.
 */
import { LmtpClient } from '../support/lmtp-client.ts';
import { addressOf, fillMany, importMany } from '../support/many-accounts.ts';
import { Service } from '../support/service.ts';

const [accounts = 100_000, seconds = 10, connections = 16] = process.argv.slice(2).map(Number);
const few = 200;
const messagesEach = 10;

async function rateOf(service: Service, count: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let delivered = 0;
  const body = 'the quick brown fox jumps over a lazy dog\r\n'.repeat(150);
  const deliver = async (): Promise<void> => {
    const client = await LmtpClient.connect(service.tcp('lmtp'));
    while (performance.now() < end) {
      const number = delivered++;
      // Steps through all of them, far apart.
      const recipient = addressOf(1 + ((number * 7_919) % count));
      const message = Buffer.from(`Subject: ${number}\r\nMessage-ID: <${number}@bench.test>\r\n\r\n${body}`);
      const [reply] = await client.deliver({ message, recipients: [recipient] });
      if (reply?.code !== 250) throw new Error(`${recipient}: ${reply?.code}`);
    }
    await client.quit();
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, deliver));
  return delivered / ((performance.now() - start) / 1_000);
}

async function measure(count: number): Promise<number> {
  await using service = await Service.prepare();
  console.log(`${count} accounts: ${(await importMany(service.administration, count)).toFixed(0)} imported/s`);
  await fillMany(service.directory, count, messagesEach);
  const start = performance.now();
  await service.start();
  console.log(`${count} accounts: ready after ${(performance.now() - start).toFixed(0)} ms`);
  const rate = await rateOf(service, count);
  console.log(`${count} accounts: ${rate.toFixed(0)} deliveries/s over ${connections} connections`);
  return rate;
}

const before = await measure(few);
const many = await measure(accounts);
const after = await measure(few);
console.log(`${accounts} accounts: ${((100 * many) / ((before + after) / 2)).toFixed(0)} % of the rate of ${few}`);
