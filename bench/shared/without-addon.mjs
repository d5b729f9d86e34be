/** Preloaded into a process (`node --import`): the native addon is not found there, as where it has not been built. */
import { register } from 'node:module';

const stub = `export const loadNative = () => ({ runtime: undefined, reason: 'left out by the benchmark' });`;
const hooks = `export async function load(url, context, next) {
  if (!/[/]ort-native[/]dist[/]index[.]js$/.test(url)) return next(url, context);
  return { format: 'module', source: ${JSON.stringify(stub)}, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
