import { describe, expect, it } from 'vitest';
import { Counter, Gauge, Histogram, MetricsRegistry } from './registry.js';

describe('metrics', () => {
  it('are written in the Prometheus text format', () => {
    const metrics = new MetricsRegistry();
    const requests = metrics.register(new Counter('requests_total', 'Requests.'));
    requests.add(1, { route: '/a"b' });
    requests.add(2, { route: '/a"b' });
    metrics.register(new Gauge('size', 'Size.', () => 7));
    const seconds = metrics.register(new Histogram('seconds', 'Time.', [1, 2]));
    for (const value of [0.5, 1, 5]) seconds.observe(value);
    expect(metrics.render()).toBe(
      [
        '# HELP requests_total Requests.',
        '# TYPE requests_total counter',
        'requests_total{route="/a\\"b"} 3',
        '# HELP size Size.',
        '# TYPE size gauge',
        'size 7',
        '# HELP seconds Time.',
        '# TYPE seconds histogram',
        'seconds_bucket{le="1"} 2',
        'seconds_bucket{le="2"} 2',
        'seconds_bucket{le="+Inf"} 3',
        'seconds_sum 6.5',
        'seconds_count 3',
        '',
      ].join('\n'),
    );
  });

  it('have one owner a name', () => {
    const metrics = new MetricsRegistry();
    metrics.register(new Counter('a', 'A.'));
    expect(() => metrics.register(new Counter('a', 'A.'))).toThrow(/twice/);
  });
});
