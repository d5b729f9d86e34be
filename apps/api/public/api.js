/** Calls to the service. Errors carry the text of the problem that the server answered with. */

const KEY = 'api-key';

/** A refusal by the server. */
export class ApiError extends Error {
  /** @param {string} message @param {string} code @param {number} [retryAfter] seconds after which it may succeed */
  constructor(message, code, retryAfter) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * Sends a request and returns the answer; asks for the API key when the server wants one.
 * @param {string} path relative to the page, which may lie below a path of its host, or as the server gave it
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function call(path, options = {}) {
  const headers = new Headers(options.headers);
  const key = sessionStorage.getItem(KEY);
  if (key !== null) headers.set('X-API-Key', key);
  const response = await fetch(path, { ...options, headers }).catch((error) => {
    if (options.signal?.aborted) throw error;
    throw new ApiError('The server does not answer.', 'unreachable', 2);
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  if (response.status === 401 && (await askForKey())) return call(path, options);
  const wait = Number(response.headers.get('Retry-After') ?? NaN);
  throw new ApiError(
    problem.detail ?? `The server answered ${response.status}.`,
    problem.code ?? 'unknown',
    Number.isNaN(wait) ? undefined : wait,
  );
}

/**
 * The JSON answer of a request.
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function callJson(path, options) {
  const response = await call(path, options);
  return response.json();
}

/** The key that this tab uses; undefined when none was asked for. */
export const apiKey = () => sessionStorage.getItem(KEY) ?? undefined;

/** Shows an image of the server, also where reading needs the key, which an img element cannot send.
 * @param {HTMLImageElement} image
 * @param {string} url
 */
export function showImage(image, url) {
  if (sessionStorage.getItem(KEY) === null) {
    image.src = url;
    return;
  }
  call(url)
    .then((response) => response.blob())
    .then((blob) => {
      image.src = URL.createObjectURL(blob);
      image.addEventListener('load', () => URL.revokeObjectURL(image.src), { once: true });
    })
    .catch(() => image.removeAttribute('src'));
}

/** @returns {Promise<boolean>} whether a key was given */
function askForKey() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById('key-dialog'));
  const input = /** @type {HTMLInputElement} */ (document.getElementById('key'));
  input.value = '';
  dialog.returnValue = '';
  if (!dialog.open) dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        const given = dialog.returnValue === 'ok' && input.value !== '';
        if (given) sessionStorage.setItem(KEY, input.value);
        else sessionStorage.removeItem(KEY);
        resolve(given);
      },
      { once: true },
    );
  });
}
