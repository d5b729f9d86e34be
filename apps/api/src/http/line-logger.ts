/** One line for each event: time, level, part of the service, text. What Nest says of its own start is left out. */
import type { LoggerService } from '@nestjs/common';

const OF_NEST = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
]);

export class LineLogger implements LoggerService {
  log(message: unknown, context?: string): void {
    if (context === undefined || !OF_NEST.has(context)) write(process.stdout, 'info', message, context);
  }

  warn(message: unknown, context?: string): void {
    write(process.stderr, 'warn', message, context);
  }

  /** Nest passes the stack, when there is one, before the context. */
  error(message: unknown, ...rest: unknown[]): void {
    const [context, stack] = rest.reverse();
    write(process.stderr, 'error', stack ?? message, typeof context === 'string' ? context : undefined);
  }
}

function write(stream: NodeJS.WritableStream, level: string, message: unknown, context = 'Service'): void {
  const text = message instanceof Error ? (message.stack ?? message.message) : String(message);
  stream.write(`${new Date().toISOString()} ${level} ${context}: ${text}\n`);
}
