/**
 * Sends what Nest and the parts of the service log (`new Logger('Index')`) to pino. What Nest logs about its own start
 * is left out.
 */
import type { LoggerService } from '@nestjs/common';
import type { Logger } from 'pino';

const OF_NEST = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, context?: string): void {
    if (context === undefined || !OF_NEST.has(context)) this.write('info', message, context);
  }

  warn(message: unknown, context?: string): void {
    this.write('warn', message, context);
  }

  debug(message: unknown, context?: string): void {
    this.write('debug', message, context);
  }

  /** Nest passes the stack, when there is one, before the context. */
  error(message: unknown, ...rest: unknown[]): void {
    const [context, stack] = rest.reverse();
    this.write('error', stack ?? message, typeof context === 'string' ? context : undefined);
  }

  private write(level: 'info' | 'warn' | 'error' | 'debug', message: unknown, context?: string): void {
    if (message instanceof Error) this.logger[level]({ context, err: message }, message.message);
    else if (typeof message === 'object' && message !== null) this.logger[level]({ context, ...message });
    else this.logger[level]({ context }, String(message as string));
  }
}
