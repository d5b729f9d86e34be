import { describe, expect, it } from 'vitest';
import { createMetrics, gauge } from './metrics.js';

describe('metrics', () => {
  it('are written in the Prometheus text format, with those of the process', async () => {
    const metrics = createMetrics();
    let size = 1;
    gauge(metrics, 'size', 'Size.', () => size);
    size = 7;
    const text = await metrics.metrics();
    expect(text).toContain('# HELP size Size.\n# TYPE size gauge\nsize 7\n');
    expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
    expect(text).toMatch(/^process_uptime_seconds [\d.]+$/m);
  });

  it('have one owner a name, and a registry for each service', () => {
    const metrics = createMetrics();
    gauge(metrics, 'a', 'A.', () => 1);
    expect(() => {
      gauge(metrics, 'a', 'A.', () => 1);
    }).toThrow(/already been registered/);
    expect(() => {
      gauge(createMetrics(), 'a', 'A.', () => 1);
    }).not.toThrow();
  });
});
