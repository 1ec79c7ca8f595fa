// Prints what NVIDIA's driver says, as JSON: CudaDriver of cuda.ts.

import { loadAddon } from '../libraries/load-addon.js';
import { driverName, openDriver } from '../libraries/cuda-libraries.js';
import type { CudaDriver } from './cuda.js';

const addon = loadAddon();
openDriver(addon);
const driver: CudaDriver = {
  library: addon.loadedLibrary(driverName) ?? null,
  cudaVersion: null,
  devices: [],
  failure: null,
};
try {
  const version = addon.cudaDriverVersion();
  driver.cudaVersion = `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
  driver.devices = addon.cudaDevices();
} catch (error) {
  driver.failure = (error as Error).message;
}
process.stdout.write(JSON.stringify(driver));
