// Step: the checkpoint with random weights that all others use, made once a machine.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { shapeFolder } from '../../dist/bench/shape.js';
import { print, settings } from './state.mjs';

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'zrank');
const { shape, seed } = settings;
print({ shape, seed, folder: await shapeFolder(shape, seed, cache, (message) => console.error(message)) });
