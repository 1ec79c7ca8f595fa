import { ZrankError } from '../../../error.js';
import type { ObjectStore } from '../../../bulk/store.js';

/**
 * The store of a location: a folder, or a bucket of S3, whose keys stand in the environment under Amazon's names.
 *
 * @throws ZrankError INVALID_ARGUMENT, PACKAGE_NOT_FOUND
 */
export async function openStore(location: string): Promise<ObjectStore> {
  if (!/^[a-z0-9]+:\/\//i.test(location)) {
    const { FolderStore } = await import('../../../bulk/store.js');
    return new FolderStore(location);
  }
  if (!location.startsWith('s3://')) throw ZrankError.argument('--store', 'a folder or s3://bucket/prefix', location);
  await import('aws4fetch').catch((cause: unknown) => {
    const message = `a store in S3 needs the package aws4fetch: npm install aws4fetch`;
    throw new ZrankError('PACKAGE_NOT_FOUND', message, { cause });
  });
  const { S3Store } = await import('../../../bulk/s3-store.js');
  const { env } = process;
  const need = (name: string): string => {
    if (env[name]) return env[name];
    throw new ZrankError('INVALID_ARGUMENT', `${location} needs ${name} in the environment`);
  };
  return new S3Store(location, {
    accessKeyId: need('AWS_ACCESS_KEY_ID'),
    secretAccessKey: need('AWS_SECRET_ACCESS_KEY'),
    sessionToken: env['AWS_SESSION_TOKEN'],
    region: env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'],
    endpoint: env['AWS_ENDPOINT_URL_S3'] ?? env['AWS_ENDPOINT_URL'],
  });
}
