import { ZrankError } from '../../error.js';
import { hubNameOf, locate } from '../../models/locate.js';
import { defineCommand } from '../command.js';
import { byteText } from '../download-progress.js';
import { pullModel } from '../models.js';
import { log, print } from '../output.js';

export const command = defineCommand({
  description:
    "Fetches what zrank reads of it into Hugging Face's cache, which Python's huggingface_hub reads too; what is there\n" +
    'already is not fetched again. Prints the folder.',
  positionals: {
    model: {
      description: "owner/name of the hub, perhaps @revision (a branch, a tag or a commit), or one of zrank's names",
    },
  },
  options: { json: { description: 'print JSON' } },
  notes:
    'Environment: HF_HUB_CACHE or HF_HOME (where the cache is), HF_TOKEN (who you are; else the file that hf auth login\n' +
    'writes), HF_ENDPOINT (another hub), HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT (seconds without a byte), https_proxy.',
  async run({ model, json }) {
    const name = hubNameOf(model);
    if (name === undefined)
      throw ZrankError.argument('<model>', "owner/name of the hub, perhaps @revision, or one of zrank's names", model);
    const pulled = await pullModel(name);
    const { kind, folder } = await locate(model);
    if (kind === 'folder') log(`note that ${model} is taken as the folder ${folder}, which comes before the model`);
    // A model that zrank does not run is told now, not when it is wanted.
    const { inspectFolder } = await import('../../networks/network.js');
    const runs = await inspectFolder(pulled.folder).then(
      ({ description, network }) => `${network ? 'a reranker' : 'a bi-encoder'}, ${description.architecture}`,
      (error: unknown) => {
        if (error instanceof ZrankError) return `nothing that zrank runs: ${error.message} [${error.code}]`;
        throw error;
      },
    );
    log(`${pulled.id} is complete, ${byteText(pulled.bytes)}: ${runs}`);
    const { id, commit, files, bytes, missingBytes: fetchedBytes, licence = null } = pulled;
    print(json ? { id, commit, folder: pulled.folder, files, bytes, fetchedBytes, licence } : `${pulled.folder}\n`);
  },
});
