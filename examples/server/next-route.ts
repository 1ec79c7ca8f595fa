// app/reranking/[...path]/route.ts of Next.js, with serverExternalPackages: ['zrank'] in next.config.
import { createHandler } from 'zrank/fetch';

// Kept under a name: a module that is evaluated again does not load the model twice.
export const POST = createHandler({ prefix: '/reranking', keepAs: 'reranking' });
export const GET = POST;
