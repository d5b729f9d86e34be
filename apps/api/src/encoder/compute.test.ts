import { describe, expect, it } from 'vitest';
import { ComputeMeter } from './compute.js';
import type { RequestScope } from './scope.js';

const scope = (client: string): RequestScope => ({ client, signal: new AbortController().signal });

describe('computing of one client', () => {
  it('is counted in the same buckets as requests', () => {
    let time = 0;
    const meter = new ComputeMeter({ perRequest: 100, perMinute: 60 }, () => time);
    meter.spend(scope('a'), 50);
    const refusal = () => meter.spend(scope('a'), 40);
    expect(refusal).toThrow(expect.objectContaining({ code: 'rate_limited', retryAfter: 30 }) as Error);
    expect(() => meter.spend(scope('b'), 40)).not.toThrow();
    time += 30_000;
    expect(refusal).not.toThrow();
  });

  it('of more than a minute holds is allowed to a client that has used none of it', () => {
    let time = 0;
    const meter = new ComputeMeter({ perRequest: 100, perMinute: 60 }, () => time);
    meter.spend(scope('a'), 90);
    expect(() => meter.spend(scope('a'), 1)).toThrow(/0 are left/);
    time += 60_000;
    expect(() => meter.spend(scope('a'), 90)).not.toThrow();
  });

  it('without a limit is free', () => {
    const meter = new ComputeMeter({ perRequest: 100, perMinute: 0 });
    for (let n = 0; n < 100; n++) meter.spend(scope('a'), 1000);
  });
});
