/**
 * Logs to Weights & Biases when an account is configured. Logging never fails a run: the first error is printed and
 * ends the logging.
 */
import type { WandbAccount } from '../config/wandb-config.js';
import type { MetricsRecord } from './metrics-log.js';

export interface ExperimentLogger {
  log(record: MetricsRecord): void;
  finish(): Promise<void>;
}

const TIMEOUT_MS = 15_000;

const SILENT: ExperimentLogger = { log: () => undefined, finish: async () => undefined };

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A logger for the account, or a silent one without. `config` is shown with the run. */
export async function openExperimentLogger(
  account: WandbAccount | undefined,
  config: Record<string, unknown>,
  log: (line: string) => void,
): Promise<ExperimentLogger> {
  if (!account) return SILENT;
  let on = true;
  const stop = (error: unknown) => {
    if (on) log(`Weights & Biases logging is off: ${error instanceof Error ? error.message : String(error)}`);
    on = false;
  };
  try {
    const { default: wandb } = await import('@wandb/sdk');
    const { entity, project, key } = account;
    const settings = { apiKey: key, baseUrl: 'https://api.wandb.ai', offline: false };
    const started = wandb.init({ entity, project, config, settings });
    await withTimeout(started);
    log(`logging to Weights & Biases: ${entity}/${project}`);
    return {
      log(record) {
        if (!on) return;
        const { kind, ...values } = record;
        const named = Object.entries(values).map(([name, value]) => [`${kind}/${name}`, value] as const);
        try {
          Promise.resolve(wandb.log(Object.fromEntries(named))).catch(stop);
        } catch (error) {
          stop(error);
        }
      },
      async finish() {
        if (on) await withTimeout(Promise.resolve(wandb.finish())).catch(stop);
      },
    };
  } catch (error) {
    stop(error);
    return SILENT;
  }
}
