/** Answers every error as `application/problem+json` (RFC 9457); server faults go to the log with their cause. */
import { Catch } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { basePathOf } from '../base-path-of.js';
import type { Problem } from './problem.js';
import { toProblem } from './translate.js';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const problem = toProblem(error);
    if (problem.code === 'internal_error') logFault(request, problem);
    if (response.headersSent) response.destroy();
    else sendProblem(request, response, problem);
  }
}

function logFault(request: Request, problem: Problem): void {
  request.log.error({ context: 'Problem', err: problem.cause }, `${request.method} ${request.path} failed`);
}

/** Writes a problem as the answer; also used by middleware, which runs before Nest's filters. */
export function sendProblem(request: Request, response: Response, problem: Problem): void {
  if (problem.retryAfter !== undefined) response.setHeader('Retry-After', String(problem.retryAfter));
  if (problem.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer');
  if (problem.code === 'insufficient_scope') {
    response.setHeader('WWW-Authenticate', 'Bearer error="insufficient_scope"');
  }
  response.status(problem.status);
  response.setHeader('Content-Type', 'application/problem+json; charset=utf-8');
  response.setHeader('Cache-Control', 'no-store');
  response.end(JSON.stringify(problem.toBody(request.path, basePathOf(request))));
}
