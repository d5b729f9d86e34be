/**
 * The metrics of one running service, in a registry of its own: what Node and the process report by default,
 * and whatever the parts of the service add. Rendered by prom-client in the Prometheus text format.
 */
import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** A registry with the metrics of the process: memory, CPU, event loop, garbage collection, uptime. */
export function createMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  gauge(registry, 'process_uptime_seconds', 'Time since the start.', () => process.uptime());
  return registry;
}

/** A gauge whose value is read when the metrics are. Throws when the name is taken. */
export function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
