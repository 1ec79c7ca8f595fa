// A hub in a process of its own: `tsx test/hub/serve.ts BYTES`. Its one model, acme/random, is zrank-tiny with BYTES of
// random weights. Prints its address; each message from its parent is merged into what goes wrong, and answered with
// the bytes of files that were sent since the last.

import { fileURLToPath } from 'node:url';
import { filesOf } from './files-of.js';
import { HubServer, type Misbehaviour } from './hub-server.js';

const server = await HubServer.start();
const files = await filesOf(fileURLToPath(new URL('../../models/zrank-tiny', import.meta.url)));
server.add('acme/random', { ...files, 'model.safetensors': { size: Number(process.argv[2]) } });
process.on('message', (misbehaviour: Misbehaviour) => {
  Object.assign(server.misbehaviour, misbehaviour);
  process.send!(server.requests.splice(0).reduce((sum, { sent }) => sum + sent, 0));
});
console.log(server.endpoint);
