/** The prefix of all paths of the service in its clients' addresses; '' for none. */
import type { Request } from 'express';

/** Where Express keeps it. */
export const BASE_PATH_SETTING = 'base path';

export const basePathOf = (request: Request): string => request.app.get(BASE_PATH_SETTING) as string;
