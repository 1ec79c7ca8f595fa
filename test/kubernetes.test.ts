// examples/kubernetes against Kubernetes' and KEDA's own schemas (kubernetes-models), and against what zrank has: options
// of the commands, metrics, names in the queue. No cluster runs.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ScaledObject } from '@kubernetes-models/keda/keda.sh/v1alpha1';
import { Deployment } from 'kubernetes-models/apps/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { PersistentVolumeClaim, Service } from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { queueOptions } from '../dist/cli/commands/bulk/queue.js';
import { command as work } from '../dist/cli/commands/bulk/work.js';
import { command as serve } from '../dist/cli/commands/serve.js';

const folder = fileURLToPath(new URL('../examples/kubernetes', import.meta.url));
const models = { Deployment, PersistentVolumeClaim, PodDisruptionBudget, ScaledObject, Service };

interface Manifest {
  apiVersion: string;
  kind: keyof typeof models;
  metadata: { name: string };
  spec: any;
}

const files = readdirSync(folder).map((name) => {
  const documents = parseAllDocuments(readFileSync(`${folder}/${name}`, 'utf8'), { strict: true });
  return { name, manifests: documents.map((document): Manifest => document.toJS()) };
});
const all = files.flatMap(({ manifests }) => manifests);
const named = (kind: string, name: string) =>
  all.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);

it.each(files)('$name has what Kubernetes and KEDA expect', ({ manifests }) => {
  expect(manifests.length).toBeGreaterThan(0);
  for (const { apiVersion, kind, ...rest } of manifests) {
    const model = new models[kind](rest as never);
    expect(model.apiVersion).toBe(apiVersion);
    model.validate();
  }
});

it('a mistake would be found', () => {
  const { apiVersion: _, ...deployment } = structuredClone(named('Deployment', 'zrank')!);
  deployment.spec.template.spec.containers[0].ports[0].containerPort = 'http';
  expect(() => new Deployment(deployment as never).validate()).toThrow(/containerPort must be integer/);
});

describe('what the manifests refer to is there', () => {
  it('labels, claims and deployments', () => {
    for (const { kind, spec } of all) {
      if (kind === 'Deployment') {
        expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
        for (const { persistentVolumeClaim } of spec.template.spec.volumes)
          expect(named('PersistentVolumeClaim', persistentVolumeClaim.claimName)).toBeDefined();
      }
      if (kind === 'ScaledObject') expect(named('Deployment', spec.scaleTargetRef.name)).toBeDefined();
    }
    const pods = named('Deployment', 'zrank')!.spec.template.metadata.labels;
    expect(pods).toMatchObject(named('Service', 'zrank')!.spec.selector);
    expect(pods).toMatchObject(named('PodDisruptionBudget', 'zrank')!.spec.selector.matchLabels);
  });

  it('options of zrank serve and zrank bulk work', () => {
    const options = (name: string): string[] =>
      named('Deployment', name)!
        .spec.template.spec.containers[0].args.filter((argument: string) => argument.startsWith('--'))
        .map((argument: string) => argument.slice(2));
    const known = (command: { options?: object }) =>
      Object.keys(command.options ?? {}).map((name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`));
    expect(known(serve)).toEqual(expect.arrayContaining(options('zrank')));
    expect(known(work)).toEqual(expect.arrayContaining(options('zrank-bulk')));
  });

  it('the names in Redis', () => {
    const lists = named('ScaledObject', 'zrank-bulk')!.spec.triggers.map((trigger: any) => trigger.metadata.listName);
    expect(lists).toEqual(['prioritized', 'active'].map((state) => `bull:${queueOptions.queue.default}:${state}`));
  });
});
