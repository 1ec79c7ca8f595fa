/** A registry on this machine that has some tarballs, and takes all other packages from npm's own. */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';
import { run } from './build.mjs';

/**
 * @param {string} folder of tarballs
 * @returns {Promise<{ url: string, names: string[], close: () => void }>}
 */
export async function serveRegistry(folder) {
  const upstream = run('npm', ['config', 'get', 'registry']).trim().replace(/\/?$/, '/');
  const packages = new Map();
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, url).pathname).slice(1);
    const [name, file] = path.split('/-/');
    const own = packages.get(name);
    if (own !== undefined && file !== undefined) return response.end(own.bytes);
    if (own !== undefined) {
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify(own.packument(url)));
    }
    try {
      const { accept = '*/*' } = request.headers;
      const answer = await fetch(upstream + request.url.slice(1), { headers: { accept } });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
      response.end(Buffer.from(await answer.arrayBuffer()));
    } catch (error) {
      response.writeHead(502).end(String(error.cause ?? error));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}/`;
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.tgz'))) {
    const entry = readPackage(join(folder, file));
    packages.set(entry.name, entry);
  }
  return { url, names: [...packages.keys()], close: () => server.close().closeAllConnections() };
}

function readPackage(path) {
  const bytes = readFileSync(path);
  const manifest = JSON.parse(run('tar', ['-xzOf', path, 'package/package.json']));
  const { name, version } = manifest;
  const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
  const shasum = createHash('sha1').update(bytes).digest('hex');
  const packument = (url) => ({
    name,
    'dist-tags': { latest: version },
    time: { [version]: '2020-01-01T00:00:00.000Z' },
    versions: { [version]: { ...manifest, dist: { tarball: `${url}${name}/-/${basename(path)}`, integrity, shasum } } },
  });
  return { name, bytes, packument };
}
