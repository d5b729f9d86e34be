/** What stands before all paths of the service in the addresses that its clients use; '' for nothing. */
import type { Request } from 'express';

/** Where Express keeps it. */
export const BASE_PATH_SETTING = 'base path';

export const basePathOf = (request: Request): string => request.app.get(BASE_PATH_SETTING) as string;
