/**
 * The HTTP server under Nest: how long a connection may take, how many there may be, and no body requested from a
 * client before the guards agree.
 */
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { ExpressAdapter } from '@nestjs/platform-express';
import { answerUnparsable, limitFields } from './bad-requests.js';
import { belowBasePath } from '../base-path.js';
import { limitPerAddress, watchConnections } from './connections.js';
import { takeInTurn } from './pipelining.js';
import { startInTurns } from './turns.js';
import { delayContinue } from './unread-body.js';

/** Time for the headers of a request, in milliseconds. */
const HEADERS_TIMEOUT = 10_000;
/** Time for a whole request with its body; slow bodies are cut off long before. */
const REQUEST_TIMEOUT = 300_000;
/** A connection without a request is closed after this long, in milliseconds. */
const KEEP_ALIVE = 5000;
/** How often the times are checked, in milliseconds. */
const CHECK_INTERVAL = 2000;
/** Bytes of all headers, and of the address with its query. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Express on a server with limits. */
export class LimitedExpressAdapter extends ExpressAdapter {
  private closeUnused: () => void = () => undefined;

  constructor(
    private readonly maxConnections: number,
    private readonly basePath: string,
  ) {
    super();
  }

  override initHttpServer(): void {
    const server: Server = createServer({
      headersTimeout: HEADERS_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: CHECK_INTERVAL,
      maxHeaderSize: MAX_HEADER_BYTES,
      // Node's own refusals pass the limits on pipelining; `admit` says the same.
      requireHostHeader: false,
    });
    this.closeUnused = watchConnections(server);
    // Express is a request listener.
    const listener = belowBasePath(this.basePath, startInTurns(this.getInstance<RequestListener>()));
    server.on('request', limitFields(server, takeInTurn(listener), this.basePath));
    answerUnparsable(server, this.basePath);
    server.maxConnections = this.maxConnections;
    // A newcomer that finds no place makes idle connections give theirs up for the next one.
    server.on('drop', () => server.closeIdleConnections());
    limitPerAddress(server, Math.ceil(this.maxConnections / 2), (address) => this.isProxy(address));
    delayContinue(server);
    this.httpServer = server;
  }

  override close(): Promise<unknown> | undefined {
    const closed = super.close();
    this.closeUnused();
    return closed;
  }

  /** Whether TRUST_PROXY trusts who is at the other end of a connection. */
  private isProxy(address: string): boolean {
    const express = this.getInstance<{ get: (name: string) => (address: string, hop: number) => boolean }>();
    return express.get('trust proxy fn')(address, 0);
  }
}
