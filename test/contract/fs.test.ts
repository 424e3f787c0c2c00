import { nodeFs } from '@mstore/store/internal/sys/node-fs';
import { SimDisk } from '../support/sim-disk.ts';
import { tempDirectory } from '../support/temp.ts';
import { fileSystemContract } from './fs.ts';

fileSystemContract('real file system', async (use) => {
  await using directory = await tempDirectory();
  await use(nodeFs, directory.path);
});

fileSystemContract('simulated disk', async (use) => {
  const disk = new SimDisk();
  await disk.makeDirectory('/store');
  await use(disk, '/store');
});
