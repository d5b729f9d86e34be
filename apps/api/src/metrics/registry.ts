/**
 * Counters, gauges and histograms in the Prometheus text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */

type Labels = Readonly<Record<string, string | number>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  samples(): Iterable<string>;
}

/** A value that only grows, one for each combination of labels. */
export class Counter implements Metric {
  readonly type = 'counter';
  private readonly values = new Map<string, number>();

  constructor(
    readonly name: string,
    readonly help: string,
  ) {}

  add(amount = 1, labels: Labels = {}): void {
    const key = formatLabels(labels);
    this.values.set(key, (this.values.get(key) ?? 0) + amount);
  }

  *samples(): Iterable<string> {
    for (const [labels, value] of this.values) yield `${this.name}${labels} ${value}`;
  }
}

/** A value that is read when the metrics are. */
export class Gauge implements Metric {
  readonly type = 'gauge';

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly read: () => number,
  ) {}

  *samples(): Iterable<string> {
    yield `${this.name} ${this.read()}`;
  }
}

/** How often an observed value was at most each bound, and the sum of all. */
export class Histogram implements Metric {
  readonly type = 'histogram';
  private readonly series = new Map<string, { labels: Labels; counts: number[]; sum: number }>();

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
  ) {}

  observe(value: number, labels: Labels = {}): void {
    const key = formatLabels(labels);
    let entry = this.series.get(key);
    if (entry === undefined) {
      entry = { labels, counts: new Array<number>(this.bounds.length + 1).fill(0), sum: 0 };
      this.series.set(key, entry);
    }
    const bucket = this.bounds.findIndex((bound) => value <= bound);
    const index = bucket === -1 ? this.bounds.length : bucket;
    entry.counts[index] = (entry.counts[index] ?? 0) + 1;
    entry.sum += value;
  }

  *samples(): Iterable<string> {
    for (const { labels, counts, sum } of this.series.values()) {
      let total = 0;
      for (const [index, count] of counts.entries()) {
        total += count;
        const le = this.bounds[index] ?? '+Inf';
        yield `${this.name}_bucket${formatLabels({ ...labels, le })} ${total}`;
      }
      yield `${this.name}_sum${formatLabels(labels)} ${sum}`;
      yield `${this.name}_count${formatLabels(labels)} ${total}`;
    }
  }
}

/** The metrics of one running service. */
export class MetricsRegistry {
  private readonly metrics = new Map<string, Metric>();

  /** Adds a metric and returns it. Throws when the name is taken. */
  register<M extends Metric>(metric: M): M {
    if (this.metrics.has(metric.name)) throw new Error(`the metric ${metric.name} is registered twice`);
    this.metrics.set(metric.name, metric);
    return metric;
  }

  /** All metrics as text. */
  render(): string {
    const lines: string[] = [];
    for (const metric of this.metrics.values()) {
      lines.push(`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`);
      lines.push(...metric.samples());
    }
    return `${lines.join('\n')}\n`;
  }
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
