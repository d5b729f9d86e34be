/**
 * The log of the service: one JSON object a line on standard output (pino), or text for people (LOG_FORMAT).
 *
 * What must never be in it: API keys, and what users write or look for (labels, queries, captions). So requests
 * are logged without headers and without the query of their address, and errors without fields beyond the known.
 */
import pino from 'pino';
import type { DestinationStream, Logger } from 'pino';

export interface LogSettings {
  LOG_LEVEL: 'error' | 'warn' | 'info' | 'debug';
  LOG_FORMAT: 'auto' | 'json' | 'text';
}

/** Fields that are redacted wherever a caller should pass them: the serializers leave them out already. */
const REDACTED = [
  'authorization',
  '["x-api-key"]',
  'cookie',
  'key',
  'apiKey',
  'API_KEY',
  'q',
  'labels',
  'texts',
]
  .flatMap((field) => (field.startsWith('[') ? [field, `*${field}`] : [field, `*.${field}`]))
  .concat(['req.headers', 'res.headers']);

/** The logger of one service. Text is written to a terminal, JSON to anything else, unless LOG_FORMAT says which. */
export function createLogger(settings: LogSettings, stream: NodeJS.WritableStream = process.stdout): Logger {
  const { LOG_FORMAT: format } = settings;
  const asText = format === 'text' || (format === 'auto' && 'isTTY' in stream && stream.isTTY === true);
  return pino(
    {
      level: settings.LOG_LEVEL,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      serializers: { err: describeError },
      redact: { paths: REDACTED, censor: '[redacted]' },
    },
    asText ? textLines(stream) : stream,
  );
}

/** What is logged of an error: type, code, stack, and the same of its causes. */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error).slice(0, 1000) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return {
    type: error.name,
    message: error.message,
    ...(code !== undefined && { code }),
    stack: error.stack,
    ...(error.cause !== undefined && error.cause !== error && { cause: describeError(error.cause) }),
  };
}

/** The fields that every line has or may have. */
interface Line {
  time: string;
  level: string;
  context?: string;
  msg?: string;
  err?: unknown;
}

/** One line for a person: time, level, part of the service, text, and the rest of the fields. */
function textLines(stream: NodeJS.WritableStream): DestinationStream {
  return {
    write(line) {
      const { time, level, context = 'Service', msg = '', err, ...rest } = JSON.parse(line) as Line;
      const fields = Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`;
      const error = typeof err === 'object' && err !== null && 'stack' in err ? `\n${String(err.stack)}` : '';
      stream.write(`${time} ${level} ${context}: ${msg}${fields}${error}\n`);
    },
  };
}
