/** Names of a trace's tensors: one map for state, inputs and outputs, told apart by a prefix. */

export function addPrefix<T>(map: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([name, value]) => [prefix + name, value]));
}

export function stripPrefix<T>(map: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  const matching = Object.entries(map).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(matching.map(([name, value]) => [name.slice(prefix.length), value]));
}
